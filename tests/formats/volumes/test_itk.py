"""MetaImage, NRRD and DICOM series, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import read_volume
from lungreg.spatial.geometry import Grid, flip_lps
from tests.formats.volumes.dicom import write_dicom
from tests.formats.volumes.small_volumes import SHAPE, STORED, oblique, values
from tests.grids import to_sitk


@pytest.mark.parametrize("name", ["scan.mha", "scan.mhd", "scan.nrrd", "scan.nhdr"])
def test_other_formats_lie_where_simpleitk_says(tmp_path: Path, name: str) -> None:
    """A voxel of an oblique MetaImage or NRRD keeps its value and its place in the world."""
    image = to_sitk(values(), oblique())
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.data, values())
    assert volume.stored == STORED
    index = (4, 1, 3)
    point = flip_lps(np.array([image.TransformIndexToPhysicalPoint(index)]))
    np.testing.assert_allclose(volume.grid.to_world(np.array([index])), point, atol=1e-6)


def test_mask_of_another_format_keeps_labels(tmp_path: Path) -> None:
    """Labels come back as integers from MetaImage too."""
    labels = (values() % 3).astype(np.uint8)
    sitk.WriteImage(to_sitk(labels, oblique()), str(tmp_path / "m.mha"))
    volume = read_volume(tmp_path / "m.mha", mask=True)
    assert volume.data.dtype == np.uint8
    np.testing.assert_array_equal(volume.data, labels)


def test_dicom_series_is_read_in_order_of_position(tmp_path: Path) -> None:
    """File names in reverse order do not matter: slices lie where their positions say."""
    write_dicom(tmp_path / "series", oblique(), values())
    volume = read_volume(tmp_path / "series")
    order = 1 if volume.grid.same_as(oblique(), tolerance_mm=1e-3) else -1
    np.testing.assert_array_equal(volume.data[:, :, ::order], values())
    first = volume.grid.to_world(np.array([[0, 0, 0]]))
    expected = oblique().to_world(np.array([[0, 0, 0 if order == 1 else SHAPE[2] - 1]]))
    np.testing.assert_allclose(first, expected, atol=1e-3)
    assert volume.stored.dtype == "int16"


def test_two_series_in_one_folder_are_refused(tmp_path: Path) -> None:
    """With their number and what to do about it."""
    for series in ("1.2.3", "1.2.4"):
        write_dicom(tmp_path, oblique(), values(), series=series)
    with pytest.raises(DataError, match="one DICOM series, got 2; put each series in a folder"):
        read_volume(tmp_path)


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    """Unevenly spaced slices would be stretched silently."""
    write_dicom(tmp_path, oblique(), values())[2].unlink()
    with pytest.raises(DataError, match="evenly spaced"):
        read_volume(tmp_path)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    """Slices that are shifted sideways do not fill a box."""
    straight = oblique()
    for k in range(SHAPE[2]):
        affine = straight.affine.copy()
        affine[:3, 3] += 0.4 * k * straight.directions[:, 1] + k * straight.affine[:3, 2]
        piece = Grid(shape=(SHAPE[0], SHAPE[1], 1), affine=affine)
        path = write_dicom(tmp_path / str(k), piece, values()[:, :, k : k + 1])[0]
        image = sitk.ReadImage(str(path))
        image.SetMetaData("0008|0018", f"1.2.3.{k + 1}")
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(tmp_path / f"{k}.dcm"))
        writer.Execute(image)
        path.unlink()
    with pytest.raises(DataError, match="right angles"):
        read_volume(tmp_path)


def test_a_folder_without_dicom_is_unreadable(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A folder in the place of a scan is not a traceback, and ITK adds no words of its own."""
    with pytest.raises(UnreadableFileError, match="one DICOM series, got none"):
        read_volume(tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["scan.mha", "scan.nrrd", "scan.mhd"])
@pytest.mark.parametrize("content", [b"", b"not an image", b"NDims = 3\nDimSize = 4 4 4\n"])
def test_a_damaged_other_format_is_unreadable(tmp_path: Path, name: str, content: bytes) -> None:
    """Exceptions of SimpleITK do not escape."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError):
        read_volume(tmp_path / name)


def test_a_header_may_not_name_data_elsewhere(tmp_path: Path) -> None:
    """A MetaImage from an archive cannot take in another file of this machine."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(tmp_path / "scan.mhd"))
    text = (tmp_path / "scan.mhd").read_text()
    (tmp_path / "deep").mkdir()
    moved = tmp_path / "deep" / "scan.mhd"
    moved.write_text(text.replace("scan.raw", "../scan.raw"))
    with pytest.raises(UnsafeInputError, match="own folder"):
        read_volume(moved)


def test_other_formats_obey_the_cap(tmp_path: Path) -> None:
    """A header that declares too much is refused before anything is unpacked."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(tmp_path / "scan.mha"))
    with pytest.raises(UnsafeInputError, match="at most 100 voxels"):
        read_volume(tmp_path / "scan.mha", max_voxels=100)


def test_a_single_slice_of_another_format_is_refused(tmp_path: Path) -> None:
    """Two dimensions are not three."""
    sitk.WriteImage(to_sitk(values(), oblique())[:, :, 0], str(tmp_path / "scan.mha"))
    with pytest.raises(DataError, match="three dimensions"):
        read_volume(tmp_path / "scan.mha")
