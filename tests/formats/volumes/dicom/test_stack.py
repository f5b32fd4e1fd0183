"""Which slices make a volume: one size, direction, spacing, pass and place each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.volumes import read_volume
from tests.formats.volumes.dicom.made_files import (
    ORIENTATION,
    SPACING_MM,
    chest,
    expected_grid,
    itk_series,
    position,
    write_slices,
)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("PixelSpacing", [0.7, 0.9], "one PixelSpacing, got"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 1, 0], "one orientation"),
        ("TemporalPositionIdentifier", 2, "2 values of TemporalPositionIdentifier"),
        ("ConvolutionKernel", "B70f", "2 values of ConvolutionKernel"),
        ("AcquisitionNumber", 2, "2 values of AcquisitionNumber"),
    ],
)
@pytest.mark.parametrize("where", ["interleaved", "behind"])
def test_slices_that_differ_are_no_volume(
    tmp_path: Path, name: str, value: Any, match: str, where: str
) -> None:
    """Two passes, phases or fields of view whose places alone would make one scan."""

    def change(data: Any, k: int) -> None:
        if k % 2 if where == "interleaved" else k > 2:
            setattr(data, name, value)

    write_slices(tmp_path, chest(), edit=change)
    with pytest.raises(DataError, match=match):
        read_volume(tmp_path)


def test_an_acquisition_for_each_slice_is_one_scan(tmp_path: Path) -> None:
    """So scanners count that stop for each."""

    def count(data: Any, k: int) -> None:
        data.AcquisitionNumber = 1 + k

    write_slices(tmp_path, chest(), edit=count)
    assert read_volume(tmp_path).grid.same_as(expected_grid(6), tolerance_mm=1e-4)


@pytest.mark.parametrize(("seconds", "is_one"), [([0, 1, 2, 3, 4, 5], True), ([0, 20], False)])
@pytest.mark.parametrize(
    ("name", "day"), [("AcquisitionTime", ""), ("AcquisitionDateTime", "20260131")]
)
def test_times_go_one_way_along_the_body(
    tmp_path: Path, seconds: list[int], is_one: bool, name: str, day: str
) -> None:
    """Two breaths that are interleaved go to and fro."""

    def at(data: Any, k: int) -> None:
        setattr(data, name, f"{day}1030{seconds[k % len(seconds)]:02d}.5")

    write_slices(tmp_path, chest(), edit=at)
    if is_one:
        read_volume(tmp_path)
        return
    with pytest.raises(DataError, match="go to and fro"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("off_mm", "is_one"), [(0.09, True), (0.4, False)])
def test_positions_may_be_rounded_to_a_tenth(tmp_path: Path, off_mm: float, is_one: bool) -> None:
    """Of thin slices that is more than a twentieth of their distance."""
    normal = np.cross(*np.array(ORIENTATION).reshape(2, 3))

    def thin(data: Any, k: int) -> None:
        along = 0.6 * k + (off_mm if k == 3 else 0.0)
        data.ImagePositionPatient = (position(0) + along * normal).tolist()

    write_slices(tmp_path, chest(), edit=thin)
    if is_one:
        assert read_volume(tmp_path).grid.spacing_mm[2] == pytest.approx(0.6)
        return
    with pytest.raises(DataError, match="evenly spaced"):
        read_volume(tmp_path)


def test_two_slices_in_one_place_are_two_passes(tmp_path: Path) -> None:
    """Of which neither is dropped."""

    def twice(data: Any, k: int) -> None:
        data.ImagePositionPatient = position(k // 2).tolist()

    write_slices(tmp_path, chest(), edit=twice)
    with pytest.raises(DataError, match="3 that lie where another does"):
        read_volume(tmp_path)


def test_copies_of_a_file_are_dropped_and_told(tmp_path: Path) -> None:
    """By their SOP instance, whatever their name."""
    write_slices(tmp_path / "one", chest())
    shutil.copytree(tmp_path / "one", tmp_path / "both")
    for k in (1, 4):
        shutil.copy(tmp_path / "one" / f"{k}.dcm", tmp_path / "both" / f"copy of {k}.dcm")
    volume = read_volume(tmp_path / "both")
    found, affine = itk_series(tmp_path / "one")
    np.testing.assert_array_equal(volume.data, found)
    np.testing.assert_allclose(volume.grid.affine, affine, atol=1e-5)
    assert [remark.text[:5] for remark in volume.remarks] == ["2 of "]


@pytest.mark.parametrize("uid", ["", "1.2.3.4.1"])
def test_slices_of_one_instance_are_no_copies(tmp_path: Path, uid: str) -> None:
    """Tools that take names out may give all slices one SOP instance, or none."""
    write_slices(tmp_path, chest(), edit=lambda data, _: setattr(data, "SOPInstanceUID", uid))
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.data, chest().transpose())
    assert not volume.remarks


@pytest.mark.parametrize(
    ("numbers", "is_one"),
    [
        ([1, 2, 3, 4, 5, 6], True),
        ([6, 5, 4, 3, 2, 1], True),
        ([3, 1, 2, 6, 4, 5], True),
        ([7, 7, 7, 7, 7, 7], True),
        (["", 9, 2, 3, 1, 4], True),
        ([1, 4, 2, 5, 3, 6], False),
        ([4, 3, 5, 2, 6, 1], False),
    ],
)
def test_numbers_of_two_passes_take_turns(
    tmp_path: Path, numbers: list[int | str], is_one: bool
) -> None:
    """Two breaths without times, whose slices lie between each other's."""

    def count(data: Any, k: int) -> None:
        data.InstanceNumber = numbers[k]

    write_slices(tmp_path, chest(), edit=count)
    if is_one:
        read_volume(tmp_path)
        return
    with pytest.raises(DataError, match=r"2 runs of InstanceNumber.*folder of its own"):
        read_volume(tmp_path)


@pytest.mark.parametrize(("tilt", "refused"), [(0.0, False), (0.001, False), (0.02, True)])
def test_a_tilt_is_refused_beyond_rounding(tmp_path: Path, tilt: float, refused: bool) -> None:
    """A degree already lays the last slice of a chest centimetres off."""

    def lean(data: Any, k: int) -> None:
        x, y, z = position(k)
        data.ImagePositionPatient = [x, y + tilt * 2.5 * k, z]

    write_slices(tmp_path, chest(), edit=lean)
    if not refused:
        found = read_volume(tmp_path)
        assert found.grid.same_as(expected_grid(6), tolerance_mm=0.05)
        return
    with pytest.raises(DataError, match="right angles, got a tilted gantry"):
        read_volume(tmp_path)


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    """With the sizes."""
    write_slices(tmp_path / "a", chest())
    write_slices(tmp_path / "b", chest()[:, :18])
    shutil.copy(tmp_path / "b" / "3.dcm", tmp_path / "a" / "3.dcm")
    with pytest.raises(DataError, match=r"one number of rows and columns, got \[\(18, 24\), \(20"):
        read_volume(tmp_path / "a")


def test_the_grid_is_that_of_the_header() -> None:
    """The made files lie where they say: their directions are at right angles."""
    columns, rows = np.array(ORIENTATION).reshape(2, 3)
    assert columns @ rows == pytest.approx(0)
    np.testing.assert_allclose(expected_grid(6).spacing_mm, [*SPACING_MM[::-1], 2.5])
