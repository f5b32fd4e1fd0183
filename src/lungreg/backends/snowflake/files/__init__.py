"""Files on internal stages: names, transfers, checksums, a lock."""
