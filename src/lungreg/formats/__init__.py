"""Read and write files: scans, transforms and points, from bytes to arrays and back."""
