"""Upload a pair to a stage, and look at what came of it."""

from __future__ import annotations

from pathlib import Path

from lungreg.formats.volumes import Stored
from lungreg.sources import PairUpload, SourceCase, stage_sizes, upload_pair
from lungreg.stores.manifest import ManifestRow
from lungreg.testing import FaultyStage, MemoryStage

INT16 = Stored(dtype="int16")


def upload(
    stage: MemoryStage | FaultyStage,
    source: SourceCase,
    known: ManifestRow | None = None,
    *,
    group: str | None = None,
    max_voxels: int = 10**6,
) -> PairUpload:
    """Check a pair and upload it, as ingest does."""
    there = stage_sizes(stage)
    return upload_pair(stage, source, known, there=there, group=group, max_voxels=max_voxels)


def names(stage: MemoryStage) -> set[str]:
    """What the stage holds."""
    return {info.name for info in stage.list()}


def write(path: Path | None, data: bytes) -> None:
    """Replace a file of a source."""
    assert path is not None
    path.write_bytes(data)
