"""MetaImage and NRRD files whose headers ITK follows to wrong values, or out of their folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import read_volume
from tests.formats.volumes.small_volumes import oblique, values
from tests.grids import to_sitk


def written(path: Path) -> Path:
    """A good file, uncompressed."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(path), useCompression=False)
    return path


def changed(path: Path, old: str, new: str) -> Path:
    """A good file with a word of its header changed."""
    data = written(path).read_bytes()
    assert data.count(old.encode()) == 1
    path.write_bytes(data.replace(old.encode(), new.encode()))
    return path


@pytest.mark.parametrize("name", ["s.mha", "s.mhd", "s.nrrd", "s.nhdr"])
@pytest.mark.parametrize("extra", [1, 2, 512])
def test_more_values_than_declared_are_refused(tmp_path: Path, name: str, extra: int) -> None:
    """A header of another program before them would shift them; the end of a line is none."""
    path = written(tmp_path / name)
    holder = path.with_suffix(".raw") if name in ("s.mhd", "s.nhdr") else path
    holder.write_bytes(holder.read_bytes() + b"\n" * extra)
    if extra <= 2:
        np.testing.assert_array_equal(read_volume(path).data, values())
        return
    with pytest.raises(DataError, match="as many values as its header declares, got 512 bytes"):
        read_volume(path)


def test_a_header_that_says_where_values_begin_is_followed(tmp_path: Path) -> None:
    """HeaderSize of a MetaImage."""
    path = changed(tmp_path / "s.mhd", "ElementDataFile", "HeaderSize = 512\nElementDataFile")
    raw = path.with_suffix(".raw")
    raw.write_bytes(bytes(512) + raw.read_bytes())
    np.testing.assert_array_equal(read_volume(path).data, values())


@pytest.mark.parametrize(
    ("name", "field", "listed"),
    [
        ("s.mhd", "ElementDataFile = s.raw", "ElementDataFile = LIST\n{}"),
        ("s.mhd", "ElementDataFile = s.raw", "ElementDataFile : {}"),
        ("s.mhd", "ElementDataFile = s.raw", "ElementDataFile = LIST 3\ns.raw\n{}"),
        ("s.nhdr", "data file: s.raw", "data file: LIST\n\n{}"),
        ("s.nhdr", "data file: s.raw", "# {0}\n# {0}\ndata file: {1}"),
    ],
)
def test_values_outside_the_folder_are_not_read(
    tmp_path: Path, name: str, field: str, listed: str
) -> None:
    """Whatever way a header names them, and however far behind they stand."""
    outside = written(tmp_path / "secret.mhd").with_suffix(".raw")
    (tmp_path / "case").mkdir()
    line = listed.format("x" * 100_000, f"../{outside.name}") if "{1}" in listed else listed
    path = changed(tmp_path / "case" / name, field, line.format(f"../{outside.name}"))
    with pytest.raises(UnsafeInputError, match="a data file in its own folder"):
        read_volume(path)


def test_a_header_without_end_is_not_read_on(tmp_path: Path) -> None:
    """A megabyte and no end."""
    path = tmp_path / "s.mha"
    path.write_bytes(b"ObjectType = Image\n" + b"Comment = x\n" * 200_000)
    with pytest.raises(UnreadableFileError, match="at most 1 MiB long"):
        read_volume(path)


def test_a_missing_data_file_is_named_as_that(tmp_path: Path) -> None:
    """Copied without the file that holds the values."""
    path = written(tmp_path / "s.mhd")
    path.with_suffix(".raw").unlink()
    with pytest.raises(UnreadableFileError, match="the data file that a header names lies beside"):
        read_volume(path)


def test_fields_that_itk_would_pass_over_are_refused(tmp_path: Path) -> None:
    """ITK takes a spacing of 1 mm where its name is written in other letters."""
    path = changed(tmp_path / "s.mha", "ElementSpacing", "elementspacing")
    with pytest.raises(DataError, match="got elementspacing; write ElementSpacing"):
        read_volume(path)


def test_a_spacing_said_twice_is_refused(tmp_path: Path) -> None:
    """ITK takes the last, a reader of the header the first."""
    path = changed(tmp_path / "s.mha", "ElementType", "ElementSpacing = 0.1 0.1 0.1\nElementType")
    with pytest.raises(DataError, match="a header says one spacing"):
        read_volume(path)


def test_own_keys_of_a_nrrd_are_no_fields(tmp_path: Path) -> None:
    """A key "space units" that some program wrote for itself."""
    path = changed(tmp_path / "s.nrrd", "encoding:", 'space units:="m" "m" "m"\nencoding:')
    np.testing.assert_allclose(read_volume(path).grid.affine, oblique().affine, atol=1e-9)
