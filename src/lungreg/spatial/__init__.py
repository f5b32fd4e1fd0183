"""The mathematics of grids, transforms and displacement fields; no files, no cases."""
