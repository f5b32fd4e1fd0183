"""Simulate a breathing pair from a real CT."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.breathing import Breathing, draw_breathing
from lungreg.sources.simulation.chest import bottom_face, measure_chest
from lungreg.sources.simulation.records import Anatomy, BreathingSettings, SimulatedPair
from lungreg.sources.simulation.scan import Picture, Truth, make_pair, motion_slabs
from lungreg.sources.simulation.spline import FieldSlab, Float32, world_axes
from lungreg.spatial.geometry import FloatArray, Grid

_AIRY_HU, _SOLID_HU = -500.0, -150.0
_DISTINCT_QUANTILE = 0.9
_DISTINCT_POINTS = 3000
_STREAMS = 2

_DEFAULT = BreathingSettings()


def simulate_from_ct(
    ct: NDArray[Any],
    mask: NDArray[Any],
    grid: Grid,
    *,
    seed: int,
    index: int,
    settings: BreathingSettings = _DEFAULT,
) -> SimulatedPair:
    """Simulate one breathing pair from a real CT, which serves as inspiration.

    The expiration shows the CT at `T` of each voxel, sampled once with cubic splines; its lung
    tissue is denser by the determinant of `T`'s derivative, so that its mass stays. The motion
    follows the mask: the diaphragm lies at its lower end, in world coordinates. Where the lungs are
    cut off, the diaphragm is taken to lie below the scan, and planes whose lung would have to come
    from there are left out of the expiration. Below the CT, its last plane is repeated.

    Args:
        ct: (X, Y, Z) Hounsfield units.
        mask: (X, Y, Z) integer labels, any positive value is lung; labels are kept.
        grid: Of both, in any orientation.
        seed: Of the cohort, not negative.
        index: Of the case, not negative. The same seed and index give the same pair.
        settings: How the patient breathes.

    Raises:
        DataError: Arrays of another shape, an empty mask, too little lung.
    """
    anatomy = Anatomy(ct=ct, mask=mask, grid=grid)
    streams = [np.random.default_rng([seed, index, part]) for part in range(_STREAMS)]
    breathing = draw_breathing(streams[0], measure_chest(mask, grid), grid, settings)
    slabs = motion_slabs(breathing, grid)
    fixed = _exhaled(anatomy, slabs)
    moving = Picture(hu=ct.astype(np.float32), mask=_labels(mask), grid=grid)
    truth = Truth(
        breathing=breathing,
        slabs=slabs,
        distinct_ras=_bright_places(streams[1], fixed),
        unseen_planes=_unseen_planes(fixed.mask, grid, breathing),
    )
    return make_pair(fixed, moving, truth, settings, streams[1])


def _exhaled(anatomy: Anatomy, slabs: list[FieldSlab]) -> Picture:
    grid = anatomy.grid
    spline = ndimage.spline_filter(anatomy.ct.astype(np.float32), order=3, output=np.float32)
    labels = _labels(anatomy.mask)
    hu = np.empty(grid.shape, dtype=np.float32)
    mask = np.empty(grid.shape, dtype=labels.dtype)
    for slab in slabs:
        planes = slab.planes
        places = _source_voxels(grid, slab)
        hu[..., planes] = ndimage.map_coordinates(
            spline, places, output=np.float32, order=3, mode="nearest", prefilter=False
        )
        mask[..., planes] = ndimage.map_coordinates(labels, places, order=0, mode="nearest")
    jacobian = np.concatenate([slab.jacobian for slab in slabs], axis=2)
    low, high = float(anatomy.ct.min()), float(anatomy.ct.max())
    return Picture(hu=_denser(hu.clip(low, high), mask, jacobian), mask=mask, grid=grid)


def _source_voxels(grid: Grid, slab: FieldSlab) -> Float32:
    """(3, X, Y, planes) voxel coordinates of `T` of the voxels of a slab."""
    places = world_axes(grid, slab.planes)
    x, y, z = (p + u for p, u in zip(places, slab.displacement_mm, strict=True))
    m = np.linalg.inv(grid.affine)
    rows = [m[r, 0] * x + m[r, 1] * y + m[r, 2] * z + m[r, 3] for r in range(3)]
    return np.asarray(rows, dtype=np.float32)


def _denser(hu: Float32, mask: NDArray[Any], jacobian: Float32) -> Float32:
    """Lung tissue at its density after breathing out.

    Air leaves the airy tissue; vessels keep their own density. Warping has shrunk these too, and
    their share of the mass is given back to the airy tissue, so that each scan weighs the same.
    """
    lung = mask > 0
    density = hu[lung] + 1000
    airy = np.clip((_SOLID_HU - hu[lung]) / (_SOLID_HU - _AIRY_HU), 0, 1)
    whole = float((density * jacobian[lung]).sum(dtype=np.float64))
    solid = float((density * (1 - airy)).sum(dtype=np.float64))
    given = float((density * airy * jacobian[lung]).sum(dtype=np.float64))
    balance = np.float32((whole - solid) / given)
    shown = hu.copy()
    shown[lung] = density * (1 - airy + airy * jacobian[lung] * balance) - 1000
    return shown


def _bright_places(rng: np.random.Generator, picture: Picture) -> FloatArray:
    """Centres of voxels deep in the lungs that are brighter than most: vessels."""
    deep = np.argwhere(ndimage.binary_erosion(picture.mask > 0, iterations=2))
    if not len(deep):
        return np.empty((0, 3))
    values = picture.hu[tuple(deep.T)]
    bright = deep[values >= np.quantile(values, _DISTINCT_QUANTILE)]
    chosen = rng.choice(bright, size=min(len(bright), _DISTINCT_POINTS), replace=False)
    return picture.grid.to_world(chosen.astype(np.float64))


def _unseen_planes(mask: NDArray[Any], grid: Grid, breathing: Breathing) -> int:
    """Number of lowest planes whose lung `T` carries below the field of view of the CT."""
    if breathing.exhaling.chest.shows_bases:
        return 0
    axis, starts_low = bottom_face(grid)
    lung = np.argwhere(mask > 0)
    source = grid.to_voxel(breathing.to_moving(grid.to_world(lung.astype(np.float64))))[:, axis]
    shown = source >= -0.5 if starts_low else source <= grid.shape[axis] - 0.5
    gone, kept = lung[~shown, axis], lung[shown, axis]
    if starts_low:
        return int(max(kept.min(), gone.max(initial=-1) + 1))
    return int(grid.shape[axis] - min(kept.max() + 1, gone.min(initial=grid.shape[axis])))


def _labels(mask: NDArray[Any]) -> NDArray[Any]:
    small = mask.max() <= np.iinfo(np.uint8).max
    return np.asarray(np.maximum(mask, 0), dtype=np.uint8 if small else np.int16)
