"""Rigid and affine steps from any start: Gauss-Newton on the features of a level."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lungreg.registration.alignment.level import UNIT_MM, Level, slopes_of
from lungreg.spatial.geometry import FloatArray, nearest_orthogonal

_FEWEST_PLACES = 50
_DAMPING = 1e-3
_STIFFNESS, _SHIFT_SHARE = 0.1, 0.01
_LONGEST_STEP = 0.3
_DIGITS = 6
"""Of the result: sums on one machine or another differ beyond them."""


def fit(
    level: Level, start: FloatArray, *, rigid: int, affine: int, tolerance: float
) -> FloatArray:
    """Improve an affine by rigid steps, then by affine ones.

    Each step solves the least-squares problem of the features' linear approximation, places that
    differ much counting less (Geman and McClure 1985). Rigid steps come first and reach further:
    their slopes are the means of both scans' (efficient second-order minimisation, Malis 2004,
    doi:10.1109/ROBOT.2004.1308092). Affine steps make do with the fixed scan's.

    Args:
        level: Both scans.
        start: (4, 4) from fixed to moving RAS mm. Rigid steps keep its scales.
        rigid: Number of rigid steps.
        affine: Number of affine steps that follow.
        tolerance: Squared difference of features at which a place counts a quarter.

    Returns:
        (4, 4); the start where the scans do not overlap.
    """
    current = start
    for number in range(rigid + affine):
        volume, shown, _ = level.seen(current)
        if float(shown.sum()) < _FEWEST_PLACES:
            break
        rest = level.at_places(volume) - level.fixed
        weight = shown * (tolerance / (tolerance + rest.square().sum(dim=0))).square()
        slopes = level.slopes
        if number < rigid:
            unit = UNIT_MM / float(level.grid.spacing_mm[0])
            slopes = (slopes + level.at_places(slopes_of(volume, unit))) / 2
        normal, right = _equations(rest, slopes, weight, level.places)
        if number < rigid:
            step = _rigid_step(normal, right)
        else:
            step = _affine_step(normal, right, _stretch(current, level))
        longest = max(1.0, float(np.abs(step).max()) / _LONGEST_STEP)
        current = current @ _as_affine(step / longest, level, rigid=number < rigid)
    return np.round(current, _DIGITS)


def _equations(
    rest: Tensor, slopes: Tensor, weight: Tensor, places: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Normal equations (12, 12) and right side (12,) of a linear map (3, 4) of places to shifts."""
    pull = torch.einsum("ckn,cn->kn", slopes, rest) * weight
    products = (places[:, None] * places[None]).reshape(16, -1)
    normal = np.empty((3, 4, 3, 4))
    for k in range(3):
        for m in range(k, 3):
            stiff = (slopes[:, k] * slopes[:, m]).sum(dim=0) * weight
            normal[k, :, m] = normal[m, :, k] = (products @ stiff).reshape(4, 4).double().numpy()
    return normal.reshape(12, 12), -(pull @ places.T).double().numpy().reshape(12)


def _stretch(affine: FloatArray, level: Level) -> FloatArray:
    """(3, 3) how an affine stretches, without its rotation: 0 for a rigid one; in level axes."""
    _, sizes, right = np.linalg.svd(affine[:3, :3])
    along = right @ level.grid.directions
    return np.asarray(along.T @ np.diag(sizes - 1) @ along)


def _affine_step(normal: FloatArray, right: FloatArray, stretch: FloatArray) -> FloatArray:
    """(3, 4) the affine step, under a prior that what shows little is stretched little.

    The prior is a share of the mean of all that the scans say: a scale along whole lungs is hardly
    held back, one along a thin slab of them is.
    """
    stiffness = np.full((3, 4), _STIFFNESS) * np.trace(normal) / 12
    stiffness[:, 3] *= _SHIFT_SHARE
    pull = np.zeros((3, 4))
    pull[:, :3] = stiffness[:, :3] * stretch
    damped = normal + np.diag(stiffness.reshape(12))
    return np.linalg.solve(damped, right - pull.reshape(12)).reshape(3, 4)


def _rigid_step(normal: FloatArray, right: FloatArray) -> FloatArray:
    """(3, 4) the best combination of three shifts and three small rotations."""
    basis = np.zeros((3, 4, 6))
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        basis[axis, 3, axis] = 1
        basis[first, second, 3 + axis], basis[second, first, 3 + axis] = -1, 1
    flat = basis.reshape(12, 6)
    reduced = flat.T @ normal @ flat
    damped = reduced + np.eye(6) * _DAMPING * np.trace(reduced) / 6
    return (flat @ np.linalg.solve(damped, flat.T @ right)).reshape(3, 4)


def _as_affine(step: FloatArray, level: Level, *, rigid: bool) -> FloatArray:
    """(4, 4) map of the fixed world for a step (3, 4) along the level's axes."""
    frame, middle = level.grid.directions, level.middle_ras
    linear: FloatArray = np.eye(3) + step[:, :3]
    if rigid:
        linear = nearest_orthogonal(linear)
    result = np.eye(4)
    result[:3, :3] = frame @ linear @ frame.T
    result[:3, 3] = middle - result[:3, :3] @ middle + frame @ step[:, 3] * UNIT_MM
    return result
