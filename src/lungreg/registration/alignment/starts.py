"""Where the short registrations of `auto` start: headers, boxes, lungs over lungs, turned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial.transform import Rotation

from lungreg.registration.alignment.coarse import Coarse
from lungreg.spatial.geometry import FloatArray, Grid, nearest_orthogonal

_TURN_DEG = 25.0
_NO_TURN = 2.5
"""Between the traces of a quarter turn and of none."""


def grid_affine(fixed: Grid, moving: Grid) -> FloatArray:
    """(4, 4) that lays one index box over the other: `(i_m + .5) / N_m = (i_f + .5) / N_f`."""
    return np.asarray(moving.resized(fixed.shape).affine @ np.linalg.inv(fixed.affine))


def centre_affine(fixed: Grid, moving: Grid) -> FloatArray:
    """(4, 4) shift of the fixed box's centre onto the moving box's."""
    affine = np.eye(4)
    affine[:3, 3] = moving.centre_ras - fixed.centre_ras
    return affine


def by_grids(fixed: Grid, moving: Grid) -> dict[str, FloatArray]:
    """The candidates that need no more than the two grids: world, grid, centre."""
    return {
        "world": np.eye(4),
        "grid": grid_affine(fixed, moving),
        "centre": centre_affine(fixed, moving),
    }


def lungs_over_lungs(fixed: Coarse, moving: Coarse, linear: FloatArray) -> dict[str, FloatArray]:
    """Maps with a given linear part that lay lungs over lungs, by name; none without lungs.

    "lungs" lays centre over centre, "apices" the upper ends over each other and "bases" the lower
    ones, the latter two for scans that are cut off at the other end: across, only as much of the
    longer lungs counts as the shorter ones have.

    Args:
        fixed: Fixed scan.
        moving: Moving scan.
        linear: (3, 3) orthogonal: the identity, a rotation or a reflection.
    """
    points = fixed.lung_points_ras, moving.lung_points_ras @ linear
    if not all(map(len, points)):
        return {}
    up = [p[:, 2] for p in points]
    length_mm = min(np.ptp(up[0]), np.ptp(up[1]))
    upper = [p[z >= z.max() - length_mm] for p, z in zip(points, up, strict=True)]
    lower = [p[z <= z.min() + length_mm] for p, z in zip(points, up, strict=True)]
    shifts = {
        name: pair[1].mean(axis=0) - pair[0].mean(axis=0)
        for name, pair in (("lungs", points), ("apices", upper), ("bases", lower))
    }
    shifts["apices"][2] = up[1].max() - up[0].max()
    shifts["bases"][2] = up[1].min() - up[0].min()
    return {name: _linear_affine(linear, linear @ shift) for name, shift in shifts.items()}


def laid_over(fixed: Coarse, moving: Coarse, linears: Iterable[FloatArray]) -> list[FloatArray]:
    """Lungs over lungs with each of some linear parts, or the boxes' centres without lungs."""
    starts: list[FloatArray] = []
    for linear in linears:
        shift = moving.grid.centre_ras - linear @ fixed.grid.centre_ras
        over = lungs_over_lungs(fixed, moving, linear).values()
        starts += over or [_linear_affine(linear, shift)]
    return starts


def square_turns() -> list[FloatArray]:
    """(3, 3) the 23 turns of a cube onto itself: how a header may say wrong how a patient lay."""
    turns = [np.rint(turn) for turn in Rotation.create_group("O").as_matrix()]
    return [turn for turn in turns if np.trace(turn) < _NO_TURN]


def between_axes(fixed: Grid, moving: Grid) -> FloatArray | None:
    """(3, 3) what turns the fixed array's axes onto the moving array's; None where it is a mirror.

    Where a header is missing, the order of the axes says how the scans lie to each other.
    """
    turn = nearest_orthogonal(moving.directions @ np.linalg.inv(fixed.directions))
    return turn if np.linalg.det(turn) > 0 else None


def turned(affine: FloatArray, centre_ras: FloatArray) -> list[FloatArray]:
    """An affine after turns of the fixed scan by 25 degrees to both sides of each axis.

    Args:
        affine: (4, 4).
        centre_ras: (3,) what the turns leave in place.
    """
    result: list[FloatArray] = []
    for vector in np.concatenate([np.eye(3), -np.eye(3)]):
        turn = Rotation.from_rotvec(np.deg2rad(_TURN_DEG) * vector).as_matrix()
        result.append(affine @ _linear_affine(turn, centre_ras - turn @ centre_ras))
    return result


def _linear_affine(linear: FloatArray, shift: FloatArray) -> FloatArray:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, shift
    return affine
