"""Landmarks of a case, as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.landmarks import decode_landmarks, encode_landmarks

POINTS = np.array([[1.0, 2, 3, 4, 5, 6], [1.5, -2.25, 3, 4, 5, 6e1]])


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4,5,6\n1.5,-2.25,3,4,5,6e1",
        "fx,fy,fz,mx,my,mz\n1,2,3,4,5,6\n1.5,-2.25,3,4,5,60\n",
        "1;2;3;4;5;6\r\n1,5;-2,25;3;4;5;60\r\n",
        "1 2 3\t4  5 6\n\n 1.5 -2.25 3 4 5 60 \n",
        "\ufeff1, 2, 3, 4, 5, 6\n1.5, -2.25, 3, 4, 5, 60\n",
    ],
    ids=["plain", "titles", "semicolons", "spaces", "bom"],
)
def test_landmarks_are_read_as_people_write_them(text: str) -> None:
    """Commas, semicolons, spaces, a line of titles, a byte order mark."""
    np.testing.assert_array_equal(decode_landmarks(text.encode()), POINTS)


def test_landmarks_round_trip() -> None:
    """What is written comes back."""
    np.testing.assert_allclose(decode_landmarks(encode_landmarks(POINTS)), POINTS, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "at least one pair"),
        (b"a,b,c,d,e,f\n", "at least one pair"),
        (b"1,2,3\n", r"6 numbers.*\[3\] columns"),
        (b"1,2,3,4,5,6\n1,2,3,4,5\n", r"\[5, 6\] columns"),
        (b"1,2,3,4,5,nan\n", "finite"),
        (b"1,2,3,4,5,inf\n", "finite"),
        (b"1,2,3,4,5,6\na,2,3,4,5,6\n", "are numbers"),
        (b"1,2,3,4,5,6\n,2,3,4,5,6\n", "are numbers"),
        (b"\x89PNG\xff\xfe", "is text"),
    ],
)
def test_what_is_no_list_of_landmarks_is_refused(data: bytes, match: str) -> None:
    """Each fault in its own words."""
    with pytest.raises(DataError, match=match):
        decode_landmarks(data)


def test_points_of_another_shape_are_not_written() -> None:
    """Pairs have six columns."""
    with pytest.raises(DataError, match="shape"):
        encode_landmarks(np.zeros((4, 3)))
