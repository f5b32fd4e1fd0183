"""What a scanner adds to both scans at one place: rings, streaks, a part of the other scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.varied.scans import Scan

_SEED = 17
_RING_HU, _RING_MM, _RINGS = 80.0, 4.0, 200
_STREAK_HU, _NODES = 90.0, 64
_STREAK_MM = np.array([12.0, 4.0, 4.0])
"""Distance of the nodes of random values: streaks run from side to side."""


def ringed(rng: np.random.Generator, scan: Scan) -> Scan:
    """Rings around the axis of the scanner (x and y 0 in the world), alike in every scan."""
    x, y, _ = _places(scan)
    profile = np.random.default_rng(_SEED).normal(0, _RING_HU, _RINGS)
    radius = np.hypot(x, y) / _RING_MM
    rings = ndimage.map_coordinates(profile, [radius], order=1, mode="grid-wrap")
    return replace(scan, hu=scan.hu + rings.astype(np.float32))


def streaked(rng: np.random.Generator, scan: Scan) -> Scan:
    """Streaks that lie still in the world, alike in every scan."""
    values = np.random.default_rng(_SEED).normal(0, 1, (_NODES,) * 3)
    where = _places(scan) / _STREAK_MM[:, None, None, None]
    streaks = ndimage.map_coordinates(values, where, order=1, mode="grid-wrap")
    streaks *= _STREAK_HU / streaks.std()
    return replace(scan, hu=scan.hu + streaks.astype(np.float32))


def mixed(scan: Scan, other: Scan, share: float) -> Scan:
    """A scan with so large a share of another one at the same places of the world."""
    where = other.grid.to_voxel(_places(scan).reshape(3, -1).T).T
    found = ndimage.map_coordinates(other.hu, where, order=1, mode="nearest")
    seen = found.reshape(scan.hu.shape).astype(np.float32)
    return replace(scan, hu=(1 - np.float32(share)) * scan.hu + np.float32(share) * seen)


def _places(scan: Scan) -> NDArray[np.float64]:
    """(3, X, Y, Z) RAS mm of the voxels."""
    voxels = np.indices(scan.grid.shape, dtype=np.float64).reshape(3, -1).T
    return np.asarray(scan.grid.to_world(voxels).T.reshape(3, *scan.grid.shape))
