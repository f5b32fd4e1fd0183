"""Vector fields, their description and landmarks on disk, against SimpleITK."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.errors import DataError, UnreadableFileError
from lungreg.formats.points.landmarks import decode_landmarks, encode_landmarks
from lungreg.formats.transforms import (
    decode_description,
    decode_displacement,
    describe_transform,
    encode_displacement,
    encode_learn2reg,
)
from lungreg.formats.volumes import Stored, encode_volume
from lungreg.spatial.geometry import Grid, Transform, flip_lps


def oblique() -> Grid:
    """An anisotropic grid turned about all three axes, left-handed, away from the origin."""
    turned, _ = np.linalg.qr(np.array([[1.0, 0.3, -0.2], [-0.2, 1.0, 0.4], [0.3, -0.3, 1.0]]))
    affine = np.eye(4)
    affine[:3, :3] = turned @ np.diag([1.5, 2.5, 0.8])
    affine[:3, 3] = (40.0, -200.0, 77.0)
    return Grid(shape=(9, 8, 7), affine=affine)


def field(grid: Grid) -> NDArray[np.float32]:
    """A displacement that is linear in world coordinates, other in each component."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)
    world = grid.to_world(index.reshape(-1, 3).astype(float))
    moved = world @ slope() + np.array([3.0, -7.0, 11.0])
    return moved.T.reshape(3, *grid.shape).astype(np.float32)


def slope() -> NDArray[np.float64]:
    """Derivative of `field` by world coordinates."""
    return np.array([[0.05, 0.0, 0.02], [-0.03, 0.04, 0.0], [0.0, 0.01, -0.06]])


def test_simpleitk_moves_points_by_the_file_as_we_say(tmp_path: Path) -> None:
    """ITK, in LPS, carries points where our RAS field says, to 1e-3 mm."""
    grid = oblique()
    path = tmp_path / "displacement.nii.gz"
    path.write_bytes(encode_displacement(field(grid), grid))
    image = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(image)
    rng = np.random.default_rng(0)
    points = grid.to_world(rng.uniform(0.1, np.array(grid.shape) - 1.1, size=(50, 3)))
    expected = points + points @ slope() + np.array([3.0, -7.0, 11.0])
    moved = [transform.TransformPoint(point.tolist()) for point in flip_lps(points)]
    np.testing.assert_allclose(flip_lps(np.array(moved)), expected, atol=1e-3)


def test_displacement_round_trip() -> None:
    """What is written comes back, exactly, in RAS."""
    grid = oblique()
    back, where = decode_displacement(encode_displacement(field(grid), grid))
    np.testing.assert_array_equal(back, field(grid))
    assert where.same_as(grid)


def test_displacement_has_the_shape_and_intent_that_itk_wants() -> None:
    """(X, Y, Z, 1, 3), vector intent, LPS components."""
    grid = oblique()
    data = encode_displacement(field(grid), grid)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(data))
    assert image.shape == (*grid.shape, 1, 3)
    assert int(image.header["intent_code"]) == 1007
    expected = field(grid)[0, 2, 3, 4]
    assert np.asarray(image.dataobj)[2, 3, 4, 0, 0] == -expected


def test_a_displacement_of_another_grid_is_refused() -> None:
    """Shape and grid belong together."""
    with pytest.raises(DataError, match="has shape"):
        encode_displacement(np.zeros((3, 2, 2, 2)), oblique())


def test_a_scan_is_no_displacement() -> None:
    """Other files are told apart by their shape, other bytes by their header."""
    grid = oblique()
    scan = encode_volume(np.zeros(grid.shape), grid, Stored(dtype="int16"))
    with pytest.raises(DataError, match="vector field has shape"):
        decode_displacement(scan)
    with pytest.raises(UnreadableFileError):
        decode_displacement(b"text")


def test_description_is_json_in_lps() -> None:
    """The affine maps LPS points as the transform's maps RAS points; grids are in LPS."""
    grid = oblique()
    affine = np.array([[1.1, 0.1, 0, 5], [0, 0.9, 0.2, -3], [0, 0, 1, 9], [0, 0, 0, 1.0]])
    transform = Transform(affine=affine, displacement_mm=field(grid), grid=grid)
    told = describe_transform(transform, fixed=grid, moving=grid, made={"model": "m:1"})
    told = json.loads(json.dumps(told))
    point = np.array([10.0, 20.0, 30.0])
    lps = np.array(told["affine"]) @ [*flip_lps(point[None])[0], 1.0]
    expected = affine @ [*point, 1.0]
    np.testing.assert_allclose(flip_lps(lps[None, :3])[0], expected[:3])
    corner = np.array(told["fixed_grid"]["affine"])[:3, 3]
    np.testing.assert_allclose(flip_lps(corner[None])[0], grid.affine[:3, 3])
    assert told["direction"] == "fixed to moving"
    assert (told["units"], told["frame"]) == ("mm", "LPS")
    assert "takes a displacement field as zero" in told["outside_grid"]
    assert told["made"] == {"model": "m:1"}


def told() -> dict[str, object]:
    """A description as JSON gives it back."""
    transform = Transform(affine=np.eye(4), displacement_mm=field(oblique()), grid=oblique())
    made = {"model": "m:1"}
    return describe_transform(transform, fixed=oblique(), moving=oblique(), made=made)


def test_description_round_trip() -> None:
    """Affine and grids come back in RAS."""
    affine = np.array([[1.1, 0.1, 0, 5], [0, 0.9, 0.2, -3], [0, 0, 1, 9], [0, 0, 0, 1.0]])
    transform = Transform(affine=affine, displacement_mm=field(oblique()), grid=oblique())
    moving = oblique().resized((4, 5, 6))
    document = describe_transform(transform, fixed=oblique(), moving=moving, made={"a": 1})
    back = decode_description(json.dumps(document).encode())
    np.testing.assert_allclose(back.affine, affine, atol=1e-12)
    assert back.fixed.same_as(oblique())
    assert back.moving.same_as(moving)
    assert (back.made, back.directions) == ({"a": 1}, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        json.dumps({**told(), "affine": [[1, 2], [3, 4]]}).encode(),
        json.dumps({**told(), "affine": "none"}).encode(),
        json.dumps({**told(), "fixed_grid": {"shape": [0, 1, 2], "affine": "none"}}).encode(),
        json.dumps({**told(), "files": 3}).encode(),
    ],
)
def test_another_json_is_no_description(data: bytes) -> None:
    """Whatever it lacks."""
    with pytest.raises(DataError, match="the JSON beside a transform"):
        decode_description(data)


def test_learn2reg_has_four_dimensions() -> None:
    """(X, Y, Z, 3) float32, voxels along array axes, as the official script reads it."""
    voxels = np.random.default_rng(0).normal(size=(3, *oblique().shape)).astype(np.float32)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(encode_learn2reg(voxels, oblique())))
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(image.get_fdata(), np.moveaxis(voxels, 0, -1))
    with pytest.raises(DataError, match="has shape"):
        encode_learn2reg(voxels[:, :2], oblique())


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
    """Each fault is told in its own words."""
    with pytest.raises(DataError, match=match):
        decode_landmarks(data)


def test_points_of_another_shape_are_not_written() -> None:
    """Pairs have six columns."""
    with pytest.raises(DataError, match="shape"):
        encode_landmarks(np.zeros((4, 3)))
