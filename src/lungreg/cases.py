"""The manifest of a stage, for scripts and notebooks: what ingest found of each case.

`read_manifest(open_backend(config.backend).stage)` gives a row for each case that was ever brought;
a row without files is a case that was rejected, and its reasons say why.
"""

from __future__ import annotations

from lungreg.stores.manifest import (
    ManifestFile,
    ManifestRow,
    ScanFacts,
    read_cases,
    read_manifest,
)

__all__ = ["ManifestFile", "ManifestRow", "ScanFacts", "read_cases", "read_manifest"]
