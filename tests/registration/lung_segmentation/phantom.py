"""A chest of ellipsoids whose lungs are known, for tests of their segmentation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lungreg.registration.lung_segmentation import LEFT_LUNG, RIGHT_LUNG
from lungreg.registration.lung_segmentation.chest import BoolArray, Chest
from lungreg.registration.lung_segmentation.values import Scale
from lungreg.spatial.geometry import Grid

SHAPE = (66, 54, 60)
SPACING_MM = 5.0
RIGHT_X_MM, LEFT_X_MM = 70.0, -70.0


class Phantom(NamedTuple):
    """A scan and the truth about it."""

    hu: NDArray[np.float32]
    lungs: NDArray[np.uint8]
    grid: Grid


def make_phantom() -> Phantom:
    """A noisy chest in RAS with lungs, vessels, trachea, stomach gas and a hollow table."""
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = (-162.5, -120.0, -150.0)
    grid = Grid(shape=SHAPE, affine=affine)
    x, y, z = grid.to_world(np.indices(SHAPE).reshape(3, -1).T).T.reshape(3, *SHAPE)
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    hu[(x / 150) ** 2 + (y / 100) ** 2 < 1] = 30.0
    hu[(np.abs(x) < 140) & (y > -120) & (y < -105)] = -100.0
    hu[(np.abs(x) < 135) & (y > -115) & (y < -110)] = -990.0
    lungs = np.zeros(SHAPE, dtype=np.uint8)
    for value, middle in ((RIGHT_LUNG, RIGHT_X_MM), (LEFT_LUNG, LEFT_X_MM)):
        inside = ((x - middle) / 52) ** 2 + (y / 75) ** 2 + (z / 120) ** 2 < 1
        lungs[inside] = value
        hu[inside] = -820.0
        hu[inside & ((x - middle) ** 2 + (y - 10) ** 2 < 4**2)] = 40.0
    hu[(x**2 + y**2 < 9**2) & (z > -20)] = -980.0
    hu[(x + 60) ** 2 + (y - 20) ** 2 + (z + 140) ** 2 < 12**2] = -995.0
    hu += np.random.default_rng(3).normal(0, 25, SHAPE).astype(np.float32)
    return Phantom(hu, lungs, grid)


def chest_of(
    hu: NDArray[np.float32], *, blank: BoolArray | None = None, exact: bool = True
) -> Chest:
    """A working copy of 5 mm in which all that is not air is the body."""
    blank = np.zeros(hu.shape, dtype=bool) if blank is None else blank
    air = hu < -320
    return Chest(
        hu=hu,
        air=air,
        blank=blank,
        tissue=~air & ~blank,
        spacing_mm=np.full(3, 5.0),
        size=1.0,
        scale=Scale(zero=0.0, gain=1.0, air_below=-320.0, exact=exact),
        blanks=[],
        same=0.0,
    )
