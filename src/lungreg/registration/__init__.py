"""One pair in memory: initial alignment, refinement, metrics, and the files of its result."""
