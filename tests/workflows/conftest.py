"""A pair of a few thousand voxels as files."""

from __future__ import annotations

from pathlib import Path

import pytest

import lungreg
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, landmarks, scan


@pytest.fixture
def small_pair(tmp_path: Path) -> lungreg.PairFiles:
    """A sound pair with masks and landmarks."""
    stored = Stored(dtype="int16")
    fixed, fixed_mask = scan(FIXED_GRID, 0)
    moving, moving_mask = scan(MOVING_GRID, 0, breath(0))
    (tmp_path / "exp_17.nii.gz").write_bytes(encode_volume(fixed, FIXED_GRID, stored))
    (tmp_path / "insp.nii.gz").write_bytes(encode_volume(moving, MOVING_GRID, stored))
    (tmp_path / "exp_mask.nii.gz").write_bytes(encode_labels(fixed_mask, FIXED_GRID))
    (tmp_path / "insp_mask.nii.gz").write_bytes(encode_labels(moving_mask, MOVING_GRID))
    (tmp_path / "points.csv").write_bytes(encode_landmarks(landmarks(0)))
    return lungreg.PairFiles(
        fixed=tmp_path / "exp_17.nii.gz",
        moving=tmp_path / "insp.nii.gz",
        fixed_mask=tmp_path / "exp_mask.nii.gz",
        moving_mask=tmp_path / "insp_mask.nii.gz",
        landmarks=tmp_path / "points.csv",
    )
