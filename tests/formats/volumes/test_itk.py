"""MetaImage and NRRD, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import read_volume
from lungreg.spatial.geometry import flip_lps
from tests.formats.volumes.small_volumes import STORED, oblique, values
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
