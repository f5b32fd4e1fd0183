"""Points of one scan as CSV, as people and spreadsheets write them."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.files import decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.spatial.geometry import Frame

POINTS = np.array([[1.5, -2.25, 300.0], [-0.000001, 4.0, 5.123456]])
LABELS = ('apex, "left"', "Zwerchfell ü")


@pytest.mark.parametrize("labels", [LABELS, ()])
@pytest.mark.parametrize("titled", [True, False])
def test_csv_round_trip(labels: tuple[str, ...], titled: bool) -> None:
    """With and without titles and labels; it does not say its frame."""
    points = PointList(points=POINTS, frame=Frame.RAS, labels=labels, titled=titled)
    data = encode_points(points, "a.csv")
    assert data.startswith(b"x,y,z") is titled
    back = decode_points(data, "a.csv")
    np.testing.assert_allclose(back.points, POINTS, atol=1e-6)
    assert (back.frame, back.labels, back.titled) == (None, labels, titled)


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,6",
        "x,y,z\n1,2,3\n4,5,6\n",
        "Z,Y,X\n3,2,1\n6,5,4\n",
        "x,y,z,t\n1,2,3,0\n4,5,6,0\n",
        "i j k\n1 2 3\n\n4\t5  6\n",
        "1,0;2,0;3,0\r\n4;5;6\r\n",
        "\ufeff1, 2, 3\n4, 5, 6\n",
    ],
    ids=["plain", "titles", "order", "ants", "spaces", "semicolons", "bom"],
)
def test_csv_is_read_as_people_write_it(text: str) -> None:
    """Commas, semicolons, spaces; titled columns in any order."""
    found = decode_points(text.encode(), "a.csv")
    np.testing.assert_array_equal(found.points, [[1, 2, 3], [4, 5, 6]])
    assert found.labels == ()


@pytest.mark.parametrize(
    "text",
    [
        "P1,1,2,3\nP2,4,5,6",
        "id,x,y,z,label\n9,1,2,3,P1\n8,4,5,6,P2",
        "x;y;z;name\n1;2;3;P1\n4;5;6;P2",
    ],
)
def test_csv_labels_are_kept(text: str) -> None:
    """One column of text, or the one named label, name or id."""
    found = decode_points(text.encode(), "a.csv")
    np.testing.assert_array_equal(found.points, [[1, 2, 3], [4, 5, 6]])
    assert found.labels == ("P1", "P2")


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.csv", b"", "at least one"),
        ("a.csv", b"x,y,z\n", "only a line of titles"),
        ("a.csv", b"1,2,3,4,5,6\n", "three numbers.*6 numbers.*one scan only"),
        ("a.csv", b"1,2\n", "at least one|three numbers"),
        ("a.csv", b"1,2,3\n4,5\n", "as many fields"),
        ("a.csv", b"1,2,3\n4,b,6\n", "are numbers"),
        ("a.csv", b"1,2,nan\n", "finite"),
        ("a.csv", b"a,b,1,2,3\n", "three numbers"),
        ("a.csv", b"k,j,i\n1,2,3\n", "another order"),
        ("a.csv", b"R,A,S\n1,2,3\n", "do not name x, y and z"),
        ("a.csv", b"\x89PNG\xff\xfe", "is text"),
    ],
)
def test_what_is_no_list_of_points_is_refused(name: str, data: bytes, match: str) -> None:
    """Each fault in its own words."""
    with pytest.raises(DataError, match=match):
        decode_points(data, name)
