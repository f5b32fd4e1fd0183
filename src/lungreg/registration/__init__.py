"""One pair: aligned, registered, measured, written."""
