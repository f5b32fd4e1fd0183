"""Tests of `lungreg.simulation`."""
