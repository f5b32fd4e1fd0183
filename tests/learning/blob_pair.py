"""A pair of scans with one bright blob each, and a landmark at its centre."""

from __future__ import annotations

import numpy as np

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.spatial.geometry import apply_affine
from tests.grids import blob, oblique_grid

FIXED = oblique_grid((30, 26, 22), spacing_mm=(2.0, 2.6, 3.2))
MOVING = oblique_grid(
    (24, 32, 28),
    spacing_mm=(3.0, 2.2, 2.4),
    angles_rad=(-0.3, 0.25, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=(14.0, -17.0, 304.0),
)
AFFINE = np.array(
    [[1.1, 0.05, 0.0, -3.0], [-0.04, 0.95, 0.1, -30.0], [0.02, -0.1, 1.05, -16.0], [0, 0, 0, 1.0]]
)
STORED = Stored(dtype="int16")
POINT_RAS = FIXED.centre_ras + np.array([5.0, -4.0, 6.0])


def blob_pair(*, offset: float = 0.0) -> Pair:
    """A bright blob at a landmark of each scan, and masks of where it is brightest."""
    fixed_blob = blob(FIXED, POINT_RAS, 7.0)
    moving_ras = apply_affine(AFFINE, POINT_RAS[None])
    moving_blob = blob(MOVING, moving_ras[0], 7.0)
    points = np.concatenate([FIXED.to_voxel(POINT_RAS[None]), MOVING.to_voxel(moving_ras)], axis=1)
    return Pair(
        case=Case(case_id="a", fixed="f", moving="m", moving_hu_offset=offset),
        fixed=Volume(data=-1000 + 1500 * fixed_blob, grid=FIXED, stored=STORED),
        moving=Volume(
            data=-1000 + 1500 * moving_blob + np.float32(offset), grid=MOVING, stored=STORED
        ),
        fixed_mask=(fixed_blob > 0.4).astype(np.uint8) * 3,
        moving_mask=(moving_blob > 0.4).astype(np.int16) * 300,
        landmarks_vox=points,
    )
