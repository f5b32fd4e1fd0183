"""The stage: names, transfers, checksums."""
