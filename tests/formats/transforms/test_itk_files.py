"""The files of a transform and its inverse, read back by SimpleITK and by us."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.formats.transforms import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    decode_composite,
    decode_description,
)
from lungreg.formats.transforms.itk_files import encode_transform_files
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import flip_lps
from tests.formats.transforms.breathing import FIXED, MOVING, affine, breath, interior

pytestmark = pytest.mark.usefixtures("one_thread")


def files(*, lungs: np.ndarray | None = None) -> dict[str, bytes]:
    return encode_transform_files(
        breath(), fixed=FIXED, moving=MOVING, moving_lungs=lungs, made={"model": "m"}
    )


def test_simpleitk_reads_both_ways(tmp_path: Path) -> None:
    """There and back through the two files, within 0.1 mm."""
    for name, data in files().items():
        (tmp_path / name).write_bytes(data)
    there = sitk.ReadTransform(str(tmp_path / "transform.h5"))
    back = sitk.ReadTransform(str(tmp_path / "transform_inverse.h5"))
    for point in flip_lps(interior(FIXED, 100, margin=4)).tolist():
        moved = there.TransformPoint(point)
        assert np.linalg.norm(np.subtract(back.TransformPoint(moved), point)) < 0.1


def test_the_json_says_what_they_are() -> None:
    """Direction of each file, affine, grids, how made, and the residual in mm."""
    written = files(lungs=np.ones(MOVING.shape))
    found = decode_description(written["transform.json"])
    assert found.directions == {
        "transform.h5": FIXED_TO_MOVING,
        "transform_inverse.h5": MOVING_TO_FIXED,
    }
    np.testing.assert_allclose(found.affine, affine())
    assert found.fixed.same_as(FIXED)
    assert found.moving.same_as(MOVING)
    assert found.made == {"model": "m"}
    inverse = json.loads(written["transform.json"])["inverse"]
    assert 0 < inverse["residual_mean_mm"] < 0.02
    assert inverse["residual_mean_mm"] < inverse["residual_max_mm"] <= 0.1
    assert inverse["residual_in"] == "the lungs of the moving scan"
    stored = decode_composite(written["transform_inverse.h5"]).grid
    assert inverse["displacement_grid"]["shape"] == list(stored.shape)


def test_the_inverse_is_that_of_the_file() -> None:
    """What is read back undoes what is read back."""
    written = files()
    there, back = (decode_composite(written[f"transform{x}.h5"]) for x in ("", "_inverse"))
    points = interior(FIXED, 200, margin=4)
    found = transform_points(back, transform_points(there, points))
    assert np.linalg.norm(found - points, axis=1).max() < 0.1
