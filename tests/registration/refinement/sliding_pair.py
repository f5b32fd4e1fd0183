"""A ball of lung that turns within a wall that stays: pure sliding, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Grid, Transform

_SIDE, _VOXEL_MM = 56, 2.5
_RADIUS_MM = 45.0
LITTLE, FAR = 8.0, 24.0
"""Degrees: 6 and 19 mm at the wall."""


def sliding_pair(degrees: float = LITTLE) -> Pair:
    """The pair, with masks; its alignment is the identity."""
    rng = np.random.default_rng(0)
    shape, middle_mm = (_SIDE,) * 3, (_SIDE - 1) / 2 * _VOXEL_MM
    affine = np.diag([_VOXEL_MM] * 3 + [1.0])
    affine[:3, 3] = -middle_mm
    grid = Grid(shape=(_SIDE, _SIDE, _SIDE), affine=affine)
    lung = sum(_texture(rng, width) for width in (1.0, 2.5))
    body = 40 + _texture(rng, 2.0)
    points = grid.to_world(np.indices(shape).reshape(3, -1).T.astype(float))
    depth_mm = _RADIUS_MM - np.linalg.norm(points, axis=1).reshape(shape)
    share = np.clip(depth_mm / _VOXEL_MM + 0.5, 0, 1)

    def scan(degrees: float) -> Volume:
        places = grid.to_voxel(turned(points, -degrees)).T
        inside = ndimage.map_coordinates(lung, places, order=3, mode="reflect").reshape(shape)
        values = share * (inside - 820) + (1 - share) * body + rng.normal(0, 15, shape)
        return Volume(data=values.astype(np.float32), grid=grid, stored=Stored(dtype="int16"))

    mask = (depth_mm > 0).astype(np.uint8)
    return Pair(
        case=Case(case_id="a", fixed="", moving=""),
        fixed=scan(0.0),
        moving=scan(degrees),
        fixed_mask=mask,
        moving_mask=mask,
    )


def error_mm(
    transform: Transform, depths_mm: tuple[float, float], degrees: float = LITTLE
) -> float:
    """Mean error at places of the lungs between two depths below the wall, mm."""
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(2000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    places = directions * (_RADIUS_MM - rng.uniform(*depths_mm, (2000, 1)))
    apart = transform_points(transform, places) - turned(places, degrees)
    return float(np.linalg.norm(apart, axis=1).mean())


def turned(points_mm: FloatArray, degrees: float) -> FloatArray:
    """Points (N, 3) turned about the third axis."""
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    return points_mm @ np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _texture(rng: np.random.Generator, width: float) -> NDArray[np.float64]:
    """Noise of 60 HU that varies within so many voxels."""
    noise = ndimage.gaussian_filter(rng.normal(size=(_SIDE,) * 3), width)
    return np.asarray(60 * noise / noise.std())
