"""An empty stage, and a sound pair in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.volumes import encode_labels, encode_volume
from lungreg.sources import SourceCase
from lungreg.testing import MemoryStage
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, landmarks, scan
from tests.sources.uploads import INT16


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


@pytest.fixture
def source(tmp_path: Path) -> SourceCase:
    """A sound pair with masks and landmarks in a folder."""
    fixed, fixed_mask = scan(FIXED_GRID, 0)
    moving, moving_mask = scan(MOVING_GRID, 0, breath(0))
    files = {
        "fixed.nii.gz": encode_volume(fixed, FIXED_GRID, INT16),
        "moving.nii.gz": encode_volume(moving, MOVING_GRID, INT16),
        "fixed_mask.nii.gz": encode_labels(fixed_mask, FIXED_GRID),
        "moving_mask.nii.gz": encode_labels(moving_mask, MOVING_GRID),
        "landmarks.csv": encode_landmarks(landmarks(0)),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return SourceCase(
        case_id="a",
        fixed=tmp_path / "fixed.nii.gz",
        moving=tmp_path / "moving.nii.gz",
        fixed_mask=tmp_path / "fixed_mask.nii.gz",
        moving_mask=tmp_path / "moving_mask.nii.gz",
        landmarks=(tmp_path / "landmarks.csv",),
    )
