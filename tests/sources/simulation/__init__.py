"""Tests of `lungreg.sources.simulation`."""
