"""The files of configs/ for schedulers."""
