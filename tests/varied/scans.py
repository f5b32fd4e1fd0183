"""One scan being made, and what changes its grid: resampling, thicker slices, cutting off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.chest import bottom_face
from lungreg.spatial.geometry import FloatArray, Grid, Shape, apply_affine
from lungreg.spatial.slabs import slabs

AIR_HU = -1000.0
_POINTS_AT_ONCE = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """Hounsfield units, lungs, and the places where it does not show the tissue of the truth."""

    hu: NDArray[np.float32]
    """(X, Y, Z)."""
    mask: NDArray[np.uint8]
    """(X, Y, Z) above 0 in the lungs."""
    grid: Grid
    untrue: NDArray[np.bool_] | None = None
    """(X, Y, Z) where no landmark may lie: tissue hidden or shifted by a trouble. None: nowhere."""

    @property
    def shown(self) -> NDArray[np.uint8]:
        """(X, Y, Z) the lungs in which landmarks may lie."""
        if self.untrue is None:
            return self.mask
        return np.where(self.untrue, 0, self.mask).astype(np.uint8)


class Sampler:
    """A scan that can be looked up anywhere: cubic splines for values, the nearest for lungs."""

    def __init__(self, scan: Scan, *, outside_hu: float | None = None) -> None:
        """`outside_hu`: beyond the scan; None repeats its outermost voxels."""
        self.scan = scan
        self._outside = outside_hu
        self._spline = ndimage.spline_filter(scan.hu, order=3, output=np.float32)
        self._limits = float(scan.hu.min()), float(scan.hu.max())

    def scan_at(self, grid: Grid, to_source: FloatArray) -> Scan:
        """The scan on another grid whose world an affine (4, 4) carries into this scan's."""
        matrix = np.linalg.inv(self.scan.grid.affine) @ to_source @ grid.affine
        hu, mask = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.uint8)
        for start, stop in slabs(grid.shape, _POINTS_AT_ONCE):
            index = np.indices((stop - start, *grid.shape[1:]), dtype=np.float32)
            index[0] += start
            places = np.einsum("kl,lxyz->kxyz", matrix[:3, :3].astype(np.float32), index)
            places += matrix[:3, 3].astype(np.float32)[:, None, None, None]
            hu[start:stop], mask[start:stop] = self.at_voxels(places)
        return Scan(hu=hu, mask=mask, grid=grid)

    def at_voxels(
        self, places: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Values and lungs at voxel coordinates (3, ...) of the scan."""
        values = ndimage.map_coordinates(
            self._spline, places, output=np.float32, order=3, mode="nearest", prefilter=False
        ).clip(*self._limits)
        labels = ndimage.map_coordinates(self.scan.mask, places, order=0, mode="nearest")
        if self._outside is not None:
            beyond = np.zeros(places.shape[1:], dtype=bool)
            for place, size in zip(places, self.scan.grid.shape, strict=True):
                beyond |= (place < -0.5) | (place > size - 0.5)
            values[beyond], labels[beyond] = self._outside, 0
        return values, labels


def reshaped(scan: Scan, shape: Shape) -> Scan:
    """The same box on fewer voxels, each the mean over its own extent along every axis."""
    done = scan
    for axis in range(3):
        if shape[axis] != done.grid.shape[axis]:
            done = _rebinned(done, axis, shape[axis])
    return done


def thick_slices(scan: Scan, thickness_mm: float) -> Scan:
    """The scan in slices of another thickness along the body, each the mean over its extent."""
    axis, _ = bottom_face(scan.grid)
    shape = list(scan.grid.shape)
    extent = shape[axis] * float(scan.grid.spacing_mm[axis])
    shape[axis] = max(2, round(extent / thickness_mm))
    return reshaped(scan, (shape[0], shape[1], shape[2]))


def _rebinned(scan: Scan, axis: int, count: int) -> Scan:
    """Means over equal parts of one axis: differences of the running integral, linear between."""
    size = scan.grid.shape[axis]
    shape = list(scan.grid.shape)
    shape[axis] = count
    edges = np.linspace(0, size, count + 1)

    def means(values: NDArray[np.float32]) -> NDArray[np.float32]:
        total = np.cumsum(np.moveaxis(values, axis, 0), axis=0, dtype=np.float64)
        total = np.concatenate([np.zeros_like(total[:1]), total])
        low = np.minimum(edges.astype(int), size - 1)
        share = (edges - low)[:, None, None]
        at_edges = total[low] * (1 - share) + total[low + 1] * share
        found = np.diff(at_edges, axis=0) * (count / size)
        return np.ascontiguousarray(np.moveaxis(found, 0, axis), dtype=np.float32)

    mask = means((scan.mask > 0).astype(np.float32)) >= 0.5
    untrue = scan.untrue
    return Scan(
        hu=means(scan.hu),
        mask=mask.astype(np.uint8),
        grid=scan.grid.resized((shape[0], shape[1], shape[2])),
        untrue=None if untrue is None else means(untrue.astype(np.float32)) > 0,
    )


def cut_off(scan: Scan, length_mm: float, *, apices: bool, most: float = 0.6) -> Scan:
    """Take away planes until the field of view lacks the lowest or highest part of the lungs.

    Args:
        scan: To cut.
        length_mm: Of the lungs along the body.
        apices: Whether the upper end goes instead of the lower.
        most: Largest share of the lungs' height that is taken away, whatever the length.
    """
    axis, starts_low = bottom_face(scan.grid)
    other = tuple(a for a in range(3) if a != axis)
    planes = np.flatnonzero((scan.mask > 0).any(axis=other))
    first, last = int(planes[0]), int(planes[-1])
    step = float(scan.grid.spacing_mm[axis])
    lost = round(min(length_mm, most * (last - first + 1) * step) / step)
    at_start = starts_low != apices
    kept = slice(first + lost, None) if at_start else slice(0, last + 1 - lost)
    return cropped(scan, axis, kept)


def cropped(scan: Scan, axis: int, kept: slice) -> Scan:
    """Some planes of a scan along one axis."""
    box = [slice(None)] * 3
    box[axis] = kept
    part = (box[0], box[1], box[2])
    return Scan(
        hu=np.ascontiguousarray(scan.hu[part]),
        mask=np.ascontiguousarray(scan.mask[part]),
        grid=scan.grid.cropped(part),
        untrue=None if scan.untrue is None else np.ascontiguousarray(scan.untrue[part]),
    )


def circled(scan: Scan, hidden: float, value: float) -> Scan:
    """One value beyond an upright cylinder around the middle, as a scanner fills up its slices.

    Args:
        scan: To change.
        hidden: Share of the lungs that lie beyond it.
        value: What is stored there, HU.
    """
    up, _ = bottom_face(scan.grid)
    across = [axis for axis in range(3) if axis != up]
    away = np.zeros(scan.grid.shape)
    for axis in across:
        size, step = scan.grid.shape[axis], float(scan.grid.spacing_mm[axis])
        line = (np.arange(size) - (size - 1) / 2) * step
        away += np.expand_dims(line**2, [other for other in range(3) if other != axis])
    beyond = away > np.quantile(away[scan.mask > 0], 1 - hidden)
    return Scan(
        hu=np.where(beyond, np.float32(value), scan.hu),
        mask=np.where(beyond, 0, scan.mask).astype(np.uint8),
        grid=scan.grid,
        untrue=beyond if scan.untrue is None else beyond | scan.untrue,
    )


def with_header(scan: Scan, change: FloatArray) -> Scan:
    """The same voxels under another header: an affine (4, 4) of the old world to the new."""
    return replace(scan, grid=Grid(shape=scan.grid.shape, affine=change @ scan.grid.affine))


def lungs_centre_ras(scan: Scan) -> NDArray[np.float64]:
    """(3,) mean place of the lungs, RAS mm."""
    voxels = np.argwhere(scan.mask[::2, ::2, ::2] > 0) * 2.0
    return np.asarray(apply_affine(scan.grid.affine, voxels.mean(axis=0, keepdims=True))[0])
