"""Units in the text headers of MetaImage and NRRD, by arithmetic; ITK does not heed them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError
from lungreg.formats.volumes import Volume, read_volume
from tests.formats.volumes.small_volumes import oblique, values
from tests.grids import to_sitk


def with_field(path: Path, line: str) -> Path:
    """A file with a field more, behind those that it may depend on."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(path))
    data = path.read_bytes()
    mark = b"encoding:" if b"encoding:" in data else b"DimSize ="
    path.write_bytes(data.replace(mark, line.encode() + b"\n" + mark, 1))
    return path


@pytest.mark.parametrize(
    ("name", "line", "mm"),
    [
        ("s.nrrd", 'space units: "um" "um" "um"', 1e-3),
        ("s.nhdr", 'space units: "m" "m" "m"', 1e3),
        ("s.nrrd", 'space units: "mm" "mm" "mm"', 1.0),
        ("s.mha", "DistanceUnits = um", 1e-3),
        ("s.mhd", "DistanceUnits = cm", 10.0),
        ("s.mha", "DistanceUnits = ?", 1.0),
    ],
)
def test_lengths_of_another_unit_are_converted(
    tmp_path: Path, name: str, line: str, mm: float
) -> None:
    """Spacing and place alike, and told."""
    volume = read_volume(with_field(tmp_path / name, line))
    affine = np.diag([mm, mm, mm, 1.0]) @ oblique().affine
    np.testing.assert_allclose(volume.grid.affine, affine, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(volume.data, values())
    assert [x.code for x in volume.remarks] == ([] if mm == 1 else ["units"])


def test_units_of_the_axes_count_where_there_are_no_directions(tmp_path: Path) -> None:
    """A NRRD with spacings alone names them per axis."""
    image = sitk.GetImageFromArray(values().transpose(2, 1, 0))
    sitk.WriteImage(image, str(tmp_path / "s.nrrd"))
    head, data = (tmp_path / "s.nrrd").read_bytes().split(b"\n\n", 1)
    lines = [line for line in head.split(b"\n") if not line.startswith(b"space")]
    lines += [b"spacings: 800 1300 2500", b'units: "um" "um" "um"']
    (tmp_path / "s.nrrd").write_bytes(b"\n".join(lines) + b"\n\n" + data)
    volume: Volume = read_volume(tmp_path / "s.nrrd")
    np.testing.assert_allclose(volume.grid.spacing_mm, [0.8, 1.3, 2.5])


def test_another_unit_is_refused(tmp_path: Path) -> None:
    """By name."""
    path = with_field(tmp_path / "s.nrrd", 'space units: "inch" "inch" "inch"')
    with pytest.raises(DataError, match="got 'inch'"):
        read_volume(path)
