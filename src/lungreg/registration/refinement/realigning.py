"""The affine nearest to a displacement so far, which the rest of a refinement starts from.

A thin slab of the lungs, or noise, says little of their stretch to the initial alignment, and
features of the moving scan are compared in the shape that it gives them.
"""

from __future__ import annotations

import numpy as np

from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import FloatArray, Transform, apply_affine
from lungreg.spatial.mask_box import in_mask, some_voxels
from lungreg.spatial.total_displacement import total_displacement_mm

_PLACES, _FEWEST = 5_000, 100
_ROUNDS = 12
_NEAR_MM = 0.5
_THINNEST = 0.05
"""Spread of the lungs along a direction, in that along their longest: below, it keeps its scale."""
_DIGITS = 6
"""Of the result: sums on one machine or another differ beyond them."""


def nearest_affine(transform: Transform, pair: Pair) -> FloatArray:
    """The affine (4, 4) of least mean distance to a transform, where both scans show the lungs.

    By iteratively reweighted least squares (Weiszfeld 1937), so that what moves on its own, such as
    the lowest part of the lungs, counts no more than in proportion to its distance.

    Args:
        transform: `T` so far.
        pair: The case; beyond its moving scan the transform is a guess.

    Returns:
        The affine; the transform's own where the scans share too little.
    """
    lungs = pair.fixed_lungs
    places = lungs.grid.to_world(some_voxels(lungs.or_everything, _PLACES))
    moved = transform_points(transform, places)
    seen = in_mask(moved, pair.moving_shown, pair.moving.grid)
    if seen.sum() < _FEWEST:
        return transform.affine
    places = places[seen]
    wanted = moved[seen] - apply_affine(transform.affine, places)
    middle = places.mean(axis=0)
    around = places - middle
    length_mm = around.std()
    known = np.column_stack([around, np.full(len(places), length_mm)])
    change, weights = np.zeros((4, 3)), np.ones((len(places), 1))
    for _ in range(_ROUNDS):
        change = np.linalg.lstsq(weights * known, weights * wanted, rcond=_THINNEST)[0]
        apart_mm = np.linalg.norm(wanted - known @ change, axis=1)
        weights = np.maximum(apart_mm, _NEAR_MM)[:, None] ** -0.5
    result = transform.affine.copy()
    result[:3, :3] += change[:3].T
    result[:3, 3] += change[3] * length_mm - change[:3].T @ middle
    return np.round(result, _DIGITS)


def with_affine(transform: Transform, affine: FloatArray) -> Transform:
    """The same transform as another affine (4, 4) and the displacement that is left."""
    between = np.linalg.inv(affine) @ transform.affine
    left_mm = total_displacement_mm(between, transform.displacement_mm, transform.grid)
    return Transform(affine=affine, displacement_mm=left_mm, grid=transform.grid)
