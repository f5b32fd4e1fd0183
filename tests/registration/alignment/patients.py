"""A simulated patient at both breaths, cut off, turned or mirrored, with the true partners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from lungreg.formats.volumes import Volume
from lungreg.formats.volumes.volume import Stored
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.sources.simulation import simulate_pair
from lungreg.spatial.geometry import Grid, apply_affine

HU_WINDOW = (-1000.0, 500.0)
_STORED = Stored(dtype="int16")


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A pair with masks, and points (N, 3) of the same tissue in both scans."""

    pair: Pair
    fixed_ras: np.ndarray
    moving_ras: np.ndarray

    def error_mm(self, affine):
        """Mean distance of an affine from the truth where both scans show it."""
        shown = self.pair.fixed.grid.contains(self.fixed_ras)
        shown &= self.pair.moving.grid.contains(self.moving_ras)
        gap = apply_affine(affine, self.fixed_ras[shown]) - self.moving_ras[shown]
        return np.linalg.norm(gap, axis=1).mean()

    @property
    def without_masks(self):
        """The same patient whose lungs are to be segmented."""
        return replace(self, pair=replace(self.pair, fixed_mask=None, moving_mask=None))


@cache
def patient(seed=4):
    """A breath without trouble."""
    made = simulate_pair(seed, 0, shape=(64, 54, 64), spacing_mm=(4.8, 4.8, 4.8))
    pair = Pair(
        case=Case(case_id="patient", fixed="fixed", moving="moving"),
        fixed=_volume(made.fixed, made.fixed_grid),
        moving=_volume(made.moving, made.moving_grid),
        fixed_mask=made.fixed_mask,
        moving_mask=made.moving_mask,
    )
    return Patient(
        pair=pair,
        fixed_ras=made.fixed_grid.to_world(made.landmarks_vox[:, :3]),
        moving_ras=made.moving_grid.to_world(made.landmarks_vox[:, 3:]),
    )


def cut(whole, role, end, length_mm):
    """Without the given length of the lungs at their "bases" or "apices" in one scan."""
    scan, mask = getattr(whole.pair, role), getattr(whole.pair, f"{role}_mask")
    lungs = np.flatnonzero(mask.any(axis=(0, 1)))
    planes = round(length_mm / float(scan.grid.spacing_mm[2]))
    first, last = lungs[0] + planes, lungs[-1] + 1 - planes
    box = (slice(None), slice(None), slice(first, None) if end == "bases" else slice(0, last))
    part = _volume(scan.data[box], scan.grid.cropped(box))
    return replace(whole, pair=replace(whole.pair, **{role: part, f"{role}_mask": mask[box]}))


def turned(whole, degrees):
    """The patient turned in the moving scan by a rotation vector about the middle of the lungs."""
    turn = Rotation.from_rotvec(degrees, degrees=True).as_matrix()
    grid, mask = whole.pair.moving.grid, whole.pair.moving_mask
    middle = grid.to_world(np.argwhere(mask > 0).astype(float)).mean(axis=0)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = turn, middle - turn @ middle
    source = np.linalg.inv(grid.affine) @ np.linalg.inv(world) @ grid.affine
    data = affine_transform(whole.pair.moving.data, source, order=1, cval=-1000)
    pair = replace(
        whole.pair,
        moving=_volume(data, grid),
        moving_mask=affine_transform(mask, source, order=0),
    )
    return replace(whole, pair=pair, moving_ras=apply_affine(world, whole.moving_ras))


def with_header(whole, affine):
    """The moving scan with another header."""
    old = whole.pair.moving.grid
    grid = Grid(shape=old.shape, affine=affine)
    pair = replace(whole.pair, moving=_volume(whole.pair.moving.data, grid))
    return replace(whole, pair=pair, moving_ras=grid.to_world(old.to_voxel(whole.moving_ras)))


def backwards(whole):
    """The moving array's first two axes reversed, and the header with them: the same scan."""
    scan, mask = whole.pair.moving, whole.pair.moving_mask
    index = np.diag([-1.0, -1.0, 1.0, 1.0])
    index[:2, 3] = np.array(scan.grid.shape[:2]) - 1
    grid = Grid(shape=scan.grid.shape, affine=scan.grid.affine @ index)
    pair = replace(
        whole.pair,
        moving=_volume(scan.data[::-1, ::-1], grid),
        moving_mask=np.ascontiguousarray(mask[::-1, ::-1]),
    )
    return replace(whole, pair=pair)


def turned_over(whole, degrees):
    """The moving header turned by a rotation vector of whole quarter turns, its array backwards."""
    turn = np.eye(4)
    turn[:3, :3] = np.rint(Rotation.from_rotvec(degrees, degrees=True).as_matrix())
    return backwards(with_header(whole, turn @ whole.pair.moving.grid.affine))


def mirrored(whole, axis):
    """The moving scan's voxels in reverse order along an axis, under the same header."""
    scan, mask = whole.pair.moving, whole.pair.moving_mask
    index = scan.grid.to_voxel(whole.moving_ras)
    index[:, axis] = scan.grid.shape[axis] - 1 - index[:, axis]
    pair = replace(
        whole.pair,
        moving=_volume(np.flip(scan.data, axis), scan.grid),
        moving_mask=np.ascontiguousarray(np.flip(mask, axis)),
    )
    return replace(whole, pair=pair, moving_ras=scan.grid.to_world(index))


def _volume(data, grid):
    return Volume(data=np.ascontiguousarray(data, dtype=np.float32), grid=grid, stored=_STORED)
