"""Disease and movement that change what a scan shows: emphysema, consolidation, shifted slabs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.chest import bottom_face
from tests.varied.scans import Scan

_HOLE_HU = -985.0


def emphysema(rng: np.random.Generator, scan: Scan) -> Scan:
    """Holes of air, 15 to 40 of them with radii of 4 to 14 mm, more in the upper lungs."""
    hu = scan.hu.copy()
    places = _lung_places(rng, scan, int(rng.integers(15, 41)), upwards=1.5)
    for place in places:
        box, share = _ball(scan, place, rng.uniform(4, 14, 3), edge=0.25)
        share = share * (scan.mask[box] > 0)
        hu[box] += share * (np.minimum(hu[box], _HOLE_HU) - hu[box])
    return replace(scan, hu=hu)


def consolidation(rng: np.random.Generator, scan: Scan) -> Scan:
    """Two to four patches of dense tissue with radii of 12 to 28 mm; no landmarks there."""
    hu, hidden = scan.hu.copy(), np.zeros(scan.hu.shape, dtype=bool)
    for place in _lung_places(rng, scan, int(rng.integers(2, 5)), upwards=-1.0):
        box, share = _ball(scan, place, rng.uniform(12, 28, 3), edge=0.5)
        share = share * (scan.mask[box] > 0)
        grain = ndimage.gaussian_filter(rng.standard_normal(share.shape), 1.5)
        dense = 10 + 60 * grain / grain.std() * 0.5
        hu[box] += (share * (np.maximum(hu[box], dense) - hu[box])).astype(np.float32)
        hidden[box] |= share > 0.2
    return replace(scan, hu=hu, untrue=_joined(scan, hidden))


def motion_artefact(rng: np.random.Generator, scan: Scan) -> Scan:
    """Two to four slabs of 10 to 25 mm, doubled or shifted by 3 to 6 mm; no landmarks there."""
    axis, _ = bottom_face(scan.grid)
    hu, untrue = scan.hu.copy(), np.zeros(scan.hu.shape, dtype=bool)
    planes = np.flatnonzero((scan.mask > 0).any(axis=tuple(a for a in range(3) if a != axis)))
    step = float(scan.grid.spacing_mm[axis])
    for _ in range(int(rng.integers(2, 5))):
        first = int(rng.integers(planes[0], planes[-1]))
        slab = [slice(None)] * 3
        slab[axis] = slice(first, first + max(1, round(rng.uniform(10, 25) / step)))
        part = (slab[0], slab[1], slab[2])
        direction = rng.normal(0, 1, 3)
        direction *= rng.uniform(3, 6) / np.linalg.norm(direction)
        moved = ndimage.shift(
            scan.hu, np.linalg.solve(scan.grid.affine[:3, :3], direction), order=1, mode="nearest"
        )
        share = np.float32(0.5 if rng.random() < 0.5 else 1.0)
        hu[part] += share * (moved[part] - hu[part])
        untrue[part] = True
    return replace(scan, hu=hu, untrue=_joined(scan, untrue))


def _joined(scan: Scan, untrue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return untrue if scan.untrue is None else untrue | scan.untrue


def _lung_places(
    rng: np.random.Generator, scan: Scan, count: int, *, upwards: float
) -> NDArray[np.float64]:
    """(count, 3) voxels of the lungs, denser by exp(upwards) per half height to the head."""
    voxels = np.argwhere(scan.mask > 0)
    voxels = voxels[rng.integers(len(voxels), size=2000)]
    height = voxels @ scan.grid.affine[2, :3]
    level = (height - height.mean()) / (np.ptp(height) / 2)
    weight = np.exp(upwards * level)
    return voxels[rng.choice(len(voxels), count, p=weight / weight.sum())].astype(np.float64)


def _ball(
    scan: Scan, place: NDArray[np.float64], radius_mm: NDArray[np.float64], *, edge: float
) -> tuple[tuple[slice, slice, slice], NDArray[np.float32]]:
    """A box of voxels, and the share (0 to 1) that an ellipsoid with a soft edge has of each."""
    reach = np.ceil(1.5 * radius_mm.max() / scan.grid.spacing_mm).astype(int)
    low = np.maximum(place.astype(int) - reach, 0)
    high = np.minimum(place.astype(int) + reach + 1, scan.grid.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    index = np.stack(
        np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
    )
    gap = np.einsum("kl,lxyz->kxyz", scan.grid.affine[:3, :3], index - place[:, None, None, None])
    far = np.sqrt(((gap / radius_mm[:, None, None, None]) ** 2).sum(axis=0))
    share = np.clip(0.5 + (1 - far) / edge, 0, 1).astype(np.float32)
    return (box[0], box[1], box[2]), share
