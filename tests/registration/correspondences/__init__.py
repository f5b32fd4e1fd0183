"""Tests of the estimated landmark error."""
