"""Transforms from files, with and without the JSON beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, MissingFileError, UnreadableFileError
from lungreg.formats.transforms import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    describe_transform,
    encode_composite,
    encode_displacement,
)
from lungreg.formats.transforms.itk_files import encode_transform_files
from lungreg.formats.transforms.reading import read_transform
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import affine_transform, flip_lps
from lungreg.spatial.total_displacement import total_displacement_mm
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, breath, interior
from tests.grids import affine_to_sitk, to_sitk

pytestmark = pytest.mark.usefixtures("one_thread")

MADE = {"model": "m"}


def total_field() -> bytes:
    """The total displacement of a breath as NIfTI."""
    transform = breath()
    total = total_displacement_mm(transform.affine, transform.displacement_mm, FIELD)
    return encode_displacement(total, FIELD)


def test_an_itk_file_alone_is_taken_as_fixed_to_moving(tmp_path: Path) -> None:
    """Its field's grid stands for the fixed scan's; an affine alone has none."""
    (tmp_path / "t.h5").write_bytes(encode_composite(breath()))
    known = read_transform(tmp_path / "t.h5")
    assert (known.direction, known.end) == (FIXED_TO_MOVING, None)
    assert known.start is not None
    assert known.start.same_as(FIELD)
    (tmp_path / "a.H5").write_bytes(encode_composite(affine_transform(affine())))
    assert read_transform(tmp_path / "a.H5").start is None


def test_a_grid_that_an_affine_has_sheared_is_none_for_images(tmp_path: Path) -> None:
    """ITK opens no image on it; the transform is as good as ever."""
    lean = np.eye(4)
    lean[0, 1] = 0.3
    field = sitk.DisplacementFieldTransform(to_sitk(breath().displacement_mm, FIELD))
    itk = sitk.CompositeTransform([field, affine_to_sitk(lean)])
    sitk.WriteTransform(itk, str(tmp_path / "t.h5"))
    known = read_transform(tmp_path / "t.h5")
    assert known.start is None
    points = interior(known.transform.grid, 20)
    expected = [itk.TransformPoint(x) for x in flip_lps(points).tolist()]
    moved = transform_points(known.transform, points)
    np.testing.assert_allclose(flip_lps(moved), expected, atol=STEP_MM)


def test_the_json_beside_it_gives_direction_and_grids(tmp_path: Path) -> None:
    """Of the transform and of its inverse, whose name it shares but for "inverse"."""
    files = encode_transform_files(
        breath(), fixed=FIXED, moving=MOVING, moving_lungs=None, made=MADE
    )
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    there, back = (read_transform(tmp_path / f"transform{x}.h5") for x in ("", "_inverse"))
    assert (there.direction, back.direction) == (FIXED_TO_MOVING, MOVING_TO_FIXED)
    assert there.start is not None
    assert there.start.same_as(FIXED)
    assert back.start is not None
    assert back.start.same_as(MOVING)


@pytest.mark.parametrize("described", [True, False])
def test_a_displacement_field_carries_points_as_it_was_made(
    tmp_path: Path, described: bool
) -> None:
    """Inside its grid; beyond it only where the JSON says which part of it is affine."""
    (tmp_path / "u.nii.gz").write_bytes(total_field())
    if described:
        document = describe_transform(breath(), fixed=FIXED, moving=MOVING, made=MADE)
        (tmp_path / "u.json").write_text(json.dumps(document))
    found = read_transform(tmp_path / "u.nii.gz").transform
    points = interior(FIELD, 50)
    np.testing.assert_allclose(
        transform_points(found, points), transform_points(breath(), points), atol=STEP_MM
    )
    far = FIELD.to_world(np.array([[-5.0, 3.0, 3.0]]))
    gap_mm = transform_points(found, far) - transform_points(breath(), far)
    assert (np.abs(gap_mm).max() < STEP_MM) == described


def test_another_json_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Many tools write one; its path does not reach the log."""
    (tmp_path / "mueller.h5").write_bytes(encode_composite(breath()))
    (tmp_path / "mueller.json").write_text("{}")
    assert read_transform(tmp_path / "mueller.h5").end is None
    assert "is not read" in caplog.text
    assert "mueller" not in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("none.h5", None, MissingFileError),
        ("t.h5", b"text", UnreadableFileError),
        ("t.xfm", b"text", UnreadableFileError),
        ("t.nii.gz", b"text", UnreadableFileError),
    ],
)
def test_what_is_no_transform_is_refused(
    tmp_path: Path, name: str, data: bytes | None, error: type[DataError]
) -> None:
    """With the file it is about, and what to do."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error) as caught:
        read_transform(tmp_path / name)
    assert caught.value.where == tmp_path / name
    assert caught.value.mend


def test_a_field_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    """No point would be anywhere."""
    total = np.full((3, *FIELD.shape), np.nan, dtype=np.float32)
    (tmp_path / "u.nii").write_bytes(encode_displacement(total, FIELD))
    with pytest.raises(DataError, match="a displacement is finite"):
        read_transform(tmp_path / "u.nii")
