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
        "exp_x,exp_y,exp_z,insp_x,insp_y,insp_z\n1,2,3,4,5,6\n1.5,-2.25,3,4,5,60\n",
        "T50_i,T50_j,T50_k,T00_i,T00_j,T00_k\n1,2,3,4,5,6\n1.5,-2.25,3,4,5,60\n",
        "1;2;3;4;5;6\r\n1,5;-2,25;3;4;5;60\r\n",
        "1 2 3\t4  5 6\n\n 1.5 -2.25 3 4 5 60 \n",
        "\ufeff1, 2, 3, 4, 5, 6\n1.5, -2.25, 3, 4, 5, 60\n",
    ],
    ids=["plain", "titles", "words", "phases", "semicolons", "spaces", "bom"],
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
        (b"fx,fy,fz,mx,my,mz\n", "at least one pair"),
        (b"a,b,c,d,e,f\n", "do not name x, y and z"),
        (b"1,2,3\n", r"6 numbers.*\[3\] columns"),
        (b"1,2,3,4,5,6\n1,2,3,4,5\n", r"\[5, 6\] columns"),
        (b"1,2,3,4,5,nan\n", "finite"),
        (b"1,2,3,4,5,inf\n", "finite"),
        (b"1,2,3,4,5,6\na,2,3,4,5,6\n", "are numbers"),
        (b"1,2,3,4,5,6\n,2,3,4,5,6\n", "are numbers"),
        (b"\x89PNG\xff\xfe", "is text"),
        (b"moving_x,moving_y,moving_z,fixed_x,fixed_y,fixed_z\n1,2,3,4,5,6\n", "another order"),
        (b"Insp 1;Insp 2;Insp 3;Exp 1;Exp 2;Exp 3\n1;2;3;4;5;6\n", "another order"),
        (b"z,y,x,z2,y2,x2\n1,2,3,4,5,6\n", "another order"),
        (b"T00_x,T00_y,T00_z,T50_x,T50_y,T50_z\n1,2,3,4,5,6\n", "another order"),
        (b"source x,source y,source z,target x,target y,target z\n1,2,3,4,5,6\n", "another order"),
        (b"fk,fj,fi,mk,mj,mi\n1,2,3,4,5,6\n", "another order"),
        (b"slice,row,col,slice,row,col\n1,2,3,4,5,6\n", "do not name x, y and z"),
        (b"R,A,S,R,A,S\n1,2,3,4,5,6\n", "do not name x, y and z"),
        (b"x_mm,y_mm,z_mm,x2_mm,y2_mm,z2_mm\n1,2,3,4,5,6\n", "in mm"),
        (b"fixed_lps_x,fixed_lps_y,fixed_lps_z,mx,my,mz\n1,2,3,4,5,6\n", "in mm"),
        (b"x_world y_world z_world x y z\n1 2 3 4 5 6\n", "in mm"),
        (b"x_millimeter,y,z,x,y,z\n1,2,3,4,5,6\n", "in mm"),
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
