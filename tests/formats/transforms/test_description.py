"""The JSON beside a transform, written and read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.transforms import decode_description, describe_transform
from lungreg.spatial.geometry import Transform, flip_lps
from tests.formats.transforms.linear_field import GRID, linear_field


def test_description_is_json_in_lps() -> None:
    """The affine maps LPS points as the transform's maps RAS points; grids are in LPS."""
    affine = np.array([[1.1, 0.1, 0, 5], [0, 0.9, 0.2, -3], [0, 0, 1, 9], [0, 0, 0, 1.0]])
    transform = Transform(affine=affine, displacement_mm=linear_field(), grid=GRID)
    document = describe_transform(transform, fixed=GRID, moving=GRID, made={"model": "m:1"})
    document = json.loads(json.dumps(document))
    point = np.array([10.0, 20.0, 30.0])
    lps = np.array(document["affine"]) @ [*flip_lps(point[None])[0], 1.0]
    expected = affine @ [*point, 1.0]
    np.testing.assert_allclose(flip_lps(lps[None, :3])[0], expected[:3])
    corner = np.array(document["fixed_grid"]["affine"])[:3, 3]
    np.testing.assert_allclose(flip_lps(corner[None])[0], GRID.affine[:3, 3])
    assert document["direction"] == "fixed to moving"
    assert (document["units"], document["frame"]) == ("mm", "LPS")
    assert "takes a displacement field as zero" in document["outside_grid"]
    assert document["made"] == {"model": "m:1"}


def document() -> dict[str, object]:
    """A description as JSON gives it back."""
    transform = Transform(affine=np.eye(4), displacement_mm=linear_field(), grid=GRID)
    made = {"model": "m:1"}
    return describe_transform(transform, fixed=GRID, moving=GRID, made=made)


def test_description_round_trip() -> None:
    """Affine and grids come back in RAS."""
    affine = np.array([[1.1, 0.1, 0, 5], [0, 0.9, 0.2, -3], [0, 0, 1, 9], [0, 0, 0, 1.0]])
    transform = Transform(affine=affine, displacement_mm=linear_field(), grid=GRID)
    moving = GRID.resized((4, 5, 6))
    document = describe_transform(transform, fixed=GRID, moving=moving, made={"a": 1})
    back = decode_description(json.dumps(document).encode())
    np.testing.assert_allclose(back.affine, affine, atol=1e-12)
    assert back.fixed.same_as(GRID)
    assert back.moving.same_as(moving)
    assert (back.made, back.directions) == ({"a": 1}, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        json.dumps({**document(), "affine": [[1, 2], [3, 4]]}).encode(),
        json.dumps({**document(), "affine": "none"}).encode(),
        json.dumps({**document(), "fixed_grid": {"shape": [0, 1, 2], "affine": "none"}}).encode(),
        json.dumps({**document(), "files": 3}).encode(),
    ],
)
def test_another_json_is_no_description(data: bytes) -> None:
    """Whatever it lacks."""
    with pytest.raises(DataError, match="the JSON beside a transform"):
        decode_description(data)
