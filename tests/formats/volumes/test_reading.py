"""Files of any name: which format they are read as, and what is no volume."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import MissingFileError, UnreadableFileError
from lungreg.formats.volumes import read_volume
from tests.formats.volumes.dicom.made_files import chest, write_slices


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "scan.mha"])
def test_a_folder_of_a_file_name_is_unreadable(tmp_path: Path, name: str) -> None:
    """A folder named like a file is refused, whatever the format."""
    (tmp_path / name).mkdir()
    with pytest.raises(UnreadableFileError):
        read_volume(tmp_path / name)


def test_a_missing_file_says_so_and_names_itself_only_to_people(tmp_path: Path) -> None:
    """The path is in the text for the console and not in the one for logs."""
    path = tmp_path / "patient_mueller.nii.gz"
    with pytest.raises(MissingFileError, match="patient_mueller") as caught:
        read_volume(path)
    assert "mueller" not in caught.value.anonymous


def test_an_unknown_suffix_lists_the_readable_ones(tmp_path: Path) -> None:
    """The mend is to convert."""
    (tmp_path / "scan.jpg").write_bytes(b"jpeg")
    with pytest.raises(UnreadableFileError, match=r"\.nrrd.*got \.jpg; convert"):
        read_volume(tmp_path / "scan.jpg")


def test_a_slice_alone_is_refused_with_its_folder(tmp_path: Path) -> None:
    """Whatever the end of its name."""
    write_slices(tmp_path, chest())
    for name in ("0.dcm", "IM0001"):
        path = (tmp_path / "0.dcm").rename(tmp_path / name)
        with pytest.raises(UnreadableFileError, match="give the folder that holds the series"):
            read_volume(path)
