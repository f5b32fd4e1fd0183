"""Grids, transforms and displacement fields as mathematics: no files, no cases."""
