"""Read and write points and landmarks."""
