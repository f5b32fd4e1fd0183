"""What MetaImage and NRRD headers leave out of their geometry is refused or told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError
from lungreg.formats.volumes import Volume, read_volume
from tests.formats.volumes.small_volumes import oblique, values
from tests.grids import to_sitk


def edited(path: Path, *edits: tuple[str, str]) -> Path:
    """A file whose header lines that match a pattern are replaced."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(path))
    data = path.read_bytes()
    for pattern, line in edits:
        data, count = re.subn(rb"(?m)^" + pattern.encode() + rb".*\n", line.encode(), data)
        assert count == 1
    path.write_bytes(data)
    return path


def codes(volume: Volume) -> list[str]:
    return [remark.code for remark in volume.remarks]


@pytest.mark.parametrize("name", ["s.mha", "s.mhd", "s.nrrd", "s.nhdr"])
def test_a_whole_header_has_no_remark(tmp_path: Path, name: str) -> None:
    """As ITK writes it, oblique."""
    assert codes(read_volume(edited(tmp_path / name))) == []


@pytest.mark.parametrize(
    ("name", "edits", "match"),
    [
        ("s.mha", [("ElementSpacing", "")], r"far apart its voxels are \(ElementSpacing\)"),
        ("s.mha", [("ElementSpacing", "ElementSpacing = -1 2 3\n")], "is positive"),
        ("s.nrrd", [("space: ", ""), ("space directions", ""), ("space origin", "")], "spacings"),
        (
            "s.nrrd",
            [("space: ", ""), ("space directions", "spacings: nan 1 1\n"), ("space origin", "")],
            "far apart",
        ),
    ],
)
def test_a_spacing_is_never_assumed(
    tmp_path: Path, name: str, edits: list[tuple[str, str]], match: str
) -> None:
    """ITK takes 1 mm where none is given."""
    with pytest.raises(DataError, match=match):
        read_volume(edited(tmp_path / name, *edits))


@pytest.mark.parametrize(
    ("name", "edits", "code"),
    [
        ("s.mha", [("Offset", "")], "no_origin"),
        ("s.mha", [("TransformMatrix", "")], "no_orientation"),
        ("s.nrrd", [("space: ", "space: 3D-right-handed\n")], "no_orientation"),
        ("s.nrrd", [("space: ", "space dimension: 3\n")], "no_orientation"),
        ("s.nrrd", [("space origin", "")], "no_origin"),
        ("s.mha", [("NDims", "NDims = 3\nElementToIntensityFunctionSlope = 2\n")], "scale"),
    ],
)
def test_what_is_assumed_is_told(
    tmp_path: Path, name: str, edits: list[tuple[str, str]], code: str
) -> None:
    """And the volume lies where SimpleITK lays it."""
    path = edited(tmp_path / name, *edits)
    volume = read_volume(path)
    assert codes(volume) == [code]
    point = np.array(sitk.ReadImage(str(path)).TransformIndexToPhysicalPoint((4, 1, 3)))
    found = volume.grid.to_world(np.array([[4, 1, 3]]))[0]
    np.testing.assert_allclose(found, point * [-1, -1, 1], atol=1e-6)


@pytest.mark.parametrize("letters", ["LPS", "RAS", "SLP", "PIR"])
def test_letters_of_the_orientation_agree_with_its_matrix(tmp_path: Path, letters: str) -> None:
    """As ITK writes them, and as tools that name the side an axis leads to; else it is told."""
    turned = sitk.DICOMOrient(to_sitk(values(), oblique()), letters)
    path = tmp_path / "s.mha"
    sitk.WriteImage(turned, str(path))
    whole = path.read_bytes()
    assert codes(read_volume(path)) == []
    line = rb"AnatomicalOrientation = \w+"
    path.write_bytes(re.sub(line, b"AnatomicalOrientation = " + letters.encode(), whole))
    assert codes(read_volume(path)) == []
    path.write_bytes(re.sub(line, b"AnatomicalOrientation = ARS", whole))
    assert codes(read_volume(path)) == ["two_orientations"]
