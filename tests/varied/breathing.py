"""Scans in which the lower lungs are soft: taken while the patient breathed, or denser there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.chest import bottom_face
from tests.varied.scans import Scan

_PHASES = 13
_WALL_MM = 8.0
"""Over which the motion fades beside the lungs: ribs stay."""
_DENSE_SHARE = 0.6
"""Of the step from lung to soft tissue, at the lungs' lower end."""


def averaged(rng: np.random.Generator, scan: Scan, *, ways_mm: tuple[float, float]) -> Scan:
    """The mean over the phases of a breath, as a slow scan shows them.

    Tissue goes to and fro along the body: at the lungs' lower end by as much as `ways_mm` allow, at
    the apices not at all, evenly or as a sine.
    """
    axis, upwards = bottom_face(scan.grid)
    hu = np.moveaxis(scan.hu, axis, 2).astype(np.float32)
    lungs = np.moveaxis(scan.mask > 0, axis, 2)
    step_mm = float(scan.grid.spacing_mm[axis])
    planes = np.flatnonzero(lungs.any(axis=(0, 1)))
    lower, upper = (planes[0], planes[-1]) if upwards else (planes[-1], planes[0])
    way = rng.uniform(*ways_mm) * np.clip((upper - np.arange(hu.shape[2])) / (upper - lower), 0, 1)
    across = [_WALL_MM / 2 / scan.grid.spacing_mm[a] for a in range(3) if a != axis]
    beside = ndimage.gaussian_filter(lungs.any(axis=2).astype(np.float32), across)
    moves = np.clip(2 * beside, 0, 1)[..., None] * (way / step_mm).astype(np.float32)
    phases = (np.arange(_PHASES) + 0.5) / _PHASES - 0.5
    if rng.random() < 0.5:
        phases = np.sin(np.pi * phases) / 2
    index = np.indices(hu.shape, dtype=np.float32)
    total = np.zeros_like(hu)
    for phase in phases:
        places = index.copy()
        places[2] += np.float32(phase) * moves
        total += ndimage.map_coordinates(hu, places, order=1, mode="nearest")
    return replace(scan, hu=np.ascontiguousarray(np.moveaxis(total / _PHASES, 2, axis)))


def dense_bases(rng: np.random.Generator, scan: Scan) -> Scan:
    """Lung that grows denser towards the diaphragm over 15 to 40 mm, as where it collapses."""
    axis, upwards = bottom_face(scan.grid)
    lungs = np.moveaxis(scan.mask > 0, axis, 2)[..., :: 1 if upwards else -1]
    above = np.cumsum(lungs, axis=2)[..., :: 1 if upwards else -1]
    above_mm = np.moveaxis(above, 2, axis) * float(scan.grid.spacing_mm[axis])
    share = np.clip(1 - above_mm / rng.uniform(15, 40), 0, 1) * (scan.mask > 0) * _DENSE_SHARE
    hu: NDArray[np.float32] = (scan.hu - share * np.minimum(scan.hu, 0)).astype(np.float32)
    return replace(scan, hu=hu)
