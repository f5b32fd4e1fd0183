"""Which pieces of air are lungs, and which of them is the right and which the left."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, label, uniform_filter

from lungreg.registration.lung_segmentation.chest import BoolArray, Chest
from lungreg.spatial.geometry import Box, FloatArray
from lungreg.spatial.mask_box import mask_box
from lungreg.spatial.neighbours import eroded

_SMALLEST_LUNG_ML = 50.0
_MOST_PIECES = 6
_SECOND_TO_FIRST = 0.1
_SIDE_TO_SIDE = 0.4
_GAS_BELOW_HU = -970.0
_MUCH_GAS_BELOW_HU = -988.0
"""Emphysema is as dark as this; gas that fills as much of a chest as a lung does is darker."""
_AS_LARGE_AS_A_LUNG = 0.5
_SMALLEST_DARK_LUNG_ML = 500.0
"""Gas in a part of the bowel is less; folds of its wall look like vessels."""
_VESSELS_HU, _VESSELS_TO_NOISE = 40.0, 1.3
"""By how much the brightest twentieth of a lung's inside is above its middle, in means of three
voxels along each axis: 54 to 190 HU in lungs, 8 to 32 in gas. Noise goes as far to both sides."""
_PARTED_BELOW_HU = -500.0
_CUTS_MM = (3.0, 6.0, 9.0, 12.0)
_SIDES_APART_MM = 50.0
_SMALLER_SIDE_SHARE = 0.15


def right_and_left(chest: Chest, candidates: BoolArray) -> list[BoolArray]:
    """The right and the left lung, or one mask where they cannot be told apart.

    Args:
        chest: The working copy.
        candidates: (L, P, S) air inside the body, without airways.
    """
    lungs = _lungs(chest, candidates)
    if not lungs:
        return []
    parted = lungs[:2] if _are_two(lungs, chest) else _parted(lungs[0], chest)
    if not parted and len(lungs) > 1:
        first, second = lungs[:2]
        enough = np.count_nonzero(second) > _SECOND_TO_FIRST * np.count_nonzero(first)
        parted = [first, second] if enough else []
    if not parted:
        return lungs[:1]
    return sorted(parted, key=lambda lung: -float(np.nonzero(lung)[0].mean()))


def _lungs(chest: Chest, candidates: BoolArray) -> list[BoolArray]:
    """The large pieces of air that are no gas of stomach or bowel, largest first."""
    pieces, _ = label(candidates)
    size = np.bincount(pieces.ravel())
    size[0] = 0
    least = _SMALLEST_LUNG_ML * chest.size**3 / chest.voxel_ml
    if size.max() > least:
        least = min(least, _SIDE_TO_SIDE * size.max())
    large = [pieces == i for i in np.argsort(-size)[:_MOST_PIECES] if size[i] > least]
    if not chest.scale.exact:
        return large
    # A whole lung may be as dark as gas is for its partial volumes; a small piece is gas then.
    large = [it for it in large if not _is_gas(it, chest)]
    largest = max((int(np.count_nonzero(it)) for it in large), default=0)
    return [it for it in large if not _is_gas(it, chest, largest)]


def _is_gas(piece: BoolArray, chest: Chest, largest: int | None = None) -> bool:
    """Whether a piece of air is gas of stomach or bowel: dark, and the same all through.

    Args:
        piece: (L, P, S) the piece.
        chest: The working copy.
        largest: Voxels of the largest lung; None while that is not known.
    """
    as_a_lung = largest is None or np.count_nonzero(piece) > _AS_LARGE_AS_A_LUNG * largest
    dark = float(np.median(chest.hu[piece])) <= (_MUCH_GAS_BELOW_HU if as_a_lung else _GAS_BELOW_HU)
    least = _SMALLEST_DARK_LUNG_ML * chest.size**3 / chest.voxel_ml
    return dark and not (np.count_nonzero(piece) > least and _holds_vessels(piece, chest))


def _holds_vessels(piece: BoolArray, chest: Chest) -> bool:
    """Whether brighter structures run through a piece, which noise and a wall do not explain."""
    inner = eroded(eroded(piece))
    if not inner.any():
        return False
    box = mask_box(piece)
    values = uniform_filter(chest.hu[box], 3)[inner[box]]
    low, middle, high = np.percentile(values, (5, 50, 95))
    return bool(high - middle > max(_VESSELS_HU, _VESSELS_TO_NOISE * (middle - low)))


def _are_two(lungs: list[BoolArray], chest: Chest) -> bool:
    """Whether the two largest pieces are the two lungs already, so that nothing is to be parted."""
    if len(lungs) < 2 or lungs[1].sum() < _SIDE_TO_SIDE * lungs[0].sum():
        return False
    across = [np.nonzero(lung)[0].mean() * chest.spacing_mm[0] for lung in lungs[:2]]
    return abs(float(across[0] - across[1])) > _SIDES_APART_MM * chest.size


def _parted(lung: BoolArray, chest: Chest) -> list[BoolArray]:
    """One piece that is both lungs cut in two where it is thinnest; nothing where it is one."""
    box, spacing_mm = mask_box(lung), chest.spacing_mm
    # Where the lungs meet, a thin sheet of pleura shows as a lighter seam.
    inside = lung[box] & (chest.hu[box] < _PARTED_BELOW_HU)
    depth_mm = distance_transform_edt(inside, sampling=spacing_mm)
    for cut_mm in _CUTS_MM:
        pieces, count = label(depth_mm > cut_mm * chest.size)
        if count < 2:
            continue
        size = np.bincount(pieces.ravel())
        size[0] = 0
        first, second = np.argsort(-size)[:2]
        across = [np.nonzero(pieces == i)[0].mean() * spacing_mm[0] for i in (first, second)]
        if size[second] < _SMALLER_SIDE_SHARE * size[first]:
            continue
        if abs(across[0] - across[1]) < _SIDES_APART_MM * chest.size:
            continue
        return _nearest(lung, box, pieces == first, pieces == second, spacing_mm)
    return []


def _nearest(
    lung: BoolArray,
    box: Box,
    first: BoolArray,
    second: BoolArray,
    spacing_mm: FloatArray,
) -> list[BoolArray]:
    """The lung's voxels divided by which of two seeds is nearer; seeds are on the box."""
    gap = distance_transform_edt(~first, sampling=spacing_mm)
    gap -= distance_transform_edt(~second, sampling=spacing_mm)
    sides = [np.zeros(lung.shape, dtype=bool) for _ in range(2)]
    sides[0][box], sides[1][box] = lung[box] & (gap <= 0), lung[box] & (gap > 0)
    return sides
