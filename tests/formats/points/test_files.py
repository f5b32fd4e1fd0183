"""Files of points by the ends of their names."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.files import POINT_SUFFIXES, decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.spatial.geometry import Frame

POINTS = np.array([[1.5, -2.25, 300.0], [0.0, 4.0, 5.125]])


@pytest.mark.parametrize("suffix", POINT_SUFFIXES)
def test_every_format_is_written_and_read_by_its_name(suffix: str) -> None:
    """In capitals too."""
    listed = PointList(points=POINTS, frame=Frame.LPS)
    back = decode_points(encode_points(listed, f"a{suffix}"), f"A{suffix.upper()}")
    np.testing.assert_allclose(back.points, POINTS, atol=1e-6)


@pytest.mark.parametrize("name", ["a.txt", "csv", "a.csv.gz"])
def test_other_names_are_refused(name: str) -> None:
    """With those that are known."""
    with pytest.raises(DataError, match=r"ends in .csv, .fcsv, .mrk.json"):
        decode_points(b"1 2 3", name)
    with pytest.raises(DataError, match="another name"):
        encode_points(PointList(points=POINTS, frame=Frame.LPS), name)
