"""Headers of DICOM files: nothing about the geometry is assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lungreg.errors import DataError
from lungreg.formats.volumes import read_volume
from lungreg.formats.volumes.dicom.frames import read_frames
from tests.formats.volumes.dicom.made_files import chest, write_enhanced, write_slices

GEOMETRY = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]


@pytest.mark.parametrize("which", [0, 3, None])
@pytest.mark.parametrize(
    "name", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"]
)
def test_a_slice_without_geometry_is_refused_by_name(
    tmp_path: Path, name: str, which: int | None
) -> None:
    """Any one of them, and all; SliceLocation is no position."""

    def forget(data: Any, k: int) -> None:
        data.SliceLocation = 2.5 * k
        if which in (k, None):
            delattr(data, name)

    write_slices(tmp_path, chest(), edit=forget)
    with pytest.raises(DataError, match=rf"\({name}\), got none"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("ImagePositionPatient", ["", "", ""], "another value"),
        ("PixelSpacing", [0, 0.8], "positive"),
        ("ImageOrientationPatient", [1, 1, 0, 0, 1, 0], "length 1"),
    ],
)
def test_a_geometry_that_is_none_is_refused(
    tmp_path: Path, name: str, value: list[Any], match: str
) -> None:
    """Empty, zero or not of unit length."""

    def change(data: Any, k: int) -> None:
        setattr(data, name, value if k == 0 else None)

    write_slices(tmp_path, chest()[:1], edit=change)
    with pytest.raises(DataError, match=match):
        read_frames(tmp_path / "0.dcm")


def test_a_slope_of_zero_is_refused(tmp_path: Path) -> None:
    """It says that all voxels are equal; some readers take it for 1."""

    def flatten(data: Any, k: int) -> None:
        data.RescaleSlope = 0 if k == 1 else 1

    write_slices(tmp_path, chest()[:2], edit=flatten)
    with pytest.raises(DataError, match=r"RescaleSlope 0\.0 and RescaleIntercept"):
        read_volume(tmp_path)


def test_bits_in_another_place_are_refused(tmp_path: Path) -> None:
    """GDCM reads numbers in the upper bits too large."""

    def raise_bits(data: Any, k: int) -> None:
        data.BitsStored, data.HighBit = 12, 15

    write_slices(tmp_path, chest()[:2], edit=raise_bits)
    with pytest.raises(DataError, match="HighBit 15 and BitsStored 12"):
        read_volume(tmp_path)


def test_a_decimal_comma_is_refused(tmp_path: Path) -> None:
    """Whatever pydicom raises for it, as it is asked for the number."""

    def scale(data: Any, k: int) -> None:
        data.RescaleSlope = 1.5

    write_slices(tmp_path, chest()[:2], edit=scale)
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        file.write_bytes(data.replace(b"1.5 ", b"1,5 "))
        assert file.read_bytes() != data
    with pytest.raises(DataError, match="a decimal comma is none"):
        read_volume(tmp_path)


def test_a_frame_without_a_place_is_refused(tmp_path: Path) -> None:
    """In its functional groups or for all."""

    def forget(frame: Any, k: int) -> None:
        if k == 3:
            del frame.PlanePositionSequence

    write_enhanced(tmp_path / "a.dcm", chest(), order=list(range(6)), edit=forget)
    with pytest.raises(DataError, match=r"\(ImagePositionPatient\), got none"):
        read_volume(tmp_path)
