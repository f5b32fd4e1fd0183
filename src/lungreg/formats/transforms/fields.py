"""Vector fields of any tool as displacements: what their vectors mean, and in which frame.

Tools write three kinds: displacements `T(x) - x`, positions `T(x)` (NiftyReg and SPM call them
deformations), and stationary velocities, whose exponential is `T`. None can be told from the shape
of the file, and each read as another is wrong by centimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import ConfigError, DataError
from lungreg.formats.placement import Remark
from lungreg.spatial.geometry import FloatArray, Frame, Grid
from lungreg.spatial.velocity import integrate_velocity

_LPS_SIGNS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)
_FRAMES = {frame.value: frame for frame in (Frame.RAS, Frame.LPS)}
_TURNED = np.array([-1.0, -1.0, 1.0])
"""How positions grow with the place where they are in the other frame."""
_LIKE = 0.5
_SAMPLE = 20_000
_SAY_SO = "say what it is with --field-kind displacement|position|velocity and --field-frame "
_SAY_SO += "ras|lps"


class FieldKind(Enum):
    """What the vectors of a field are."""

    DISPLACEMENT = "displacement"
    """`T(x) - x` in mm."""
    POSITION = "position"
    """`T(x)` in mm."""
    VELOCITY = "velocity"
    """`v(x)` in mm in a unit of time, with `T = exp(v)`."""
    VELOCITY_AS_POSITION = "velocity as positions"
    """`x + v(x)`, as NiftyReg stores some."""


@dataclass(frozen=True, kw_only=True)
class FieldMeaning:
    """What a field's vectors mean, as far as it is known."""

    kind: FieldKind | None = None
    frame: Frame | None = None
    """RAS or LPS."""


_ASKED = (FieldKind.DISPLACEMENT, FieldKind.POSITION, FieldKind.VELOCITY)
UNSAID = FieldMeaning()
ITK_DISPLACEMENT = FieldMeaning(kind=FieldKind.DISPLACEMENT, frame=Frame.LPS)


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorField:
    """A field as its file holds it."""

    vectors: NDArray[np.float32]
    """(3, X, Y, Z)."""
    grid: Grid
    """Where they are given."""
    meaning: FieldMeaning
    """What the file says of them, by itself."""
    why: str
    """What it is, or why that is not known, for people."""
    remarks: tuple[Remark, ...] = ()


def parse_meaning(kind: str | None, frame: str | None) -> FieldMeaning:
    """What a user says of a field.

    Args:
        kind: "displacement", "position" or "velocity"; None to take what the file says.
        frame: "ras" or "lps"; None to take what the file says.

    Raises:
        ConfigError: Another word.
    """
    kinds = {known.value: known for known in _ASKED}
    if kind is not None and kind not in kinds:
        msg = f"the kind of a field is one of {', '.join(kinds)}"
        raise ConfigError(msg, got=repr(kind))
    if frame is not None and frame not in _FRAMES:
        msg = f"the frame of a field is one of {', '.join(_FRAMES)}"
        raise ConfigError(msg, got=repr(frame))
    return FieldMeaning(
        kind=None if kind is None else kinds[kind],
        frame=None if frame is None else _FRAMES[frame],
    )


def total_displacement(field: VectorField, said: FieldMeaning = UNSAID) -> NDArray[np.float32]:
    """The displacement `T(x) - x` of a field: (3, X, Y, Z) RAS mm on its grid.

    Args:
        field: From a file.
        said: What the user says of it, which counts more than what the file says.

    Raises:
        DataError: Not finite; kind or frame unknown, or not what the values look like.
    """
    if not np.isfinite(field.vectors).all():
        msg = "a displacement is finite"
        raise DataError(msg, got="NaN or infinity", mend="export the transform again")
    kind, frame = said.kind or field.meaning.kind, said.frame or field.meaning.frame
    if kind is None or frame is None:
        msg = "what the vectors of a field mean, and in which frame, is known"
        raise DataError(msg, got=field.why, mend=_SAY_SO)
    signs = _LPS_SIGNS if frame is Frame.LPS else np.ones(3, dtype=np.float32)
    vectors = field.vectors * signs[:, None, None, None]
    _require_plausible(vectors, field, kind, said)
    if kind in (FieldKind.POSITION, FieldKind.VELOCITY_AS_POSITION):
        vectors = _less_places(vectors, field.grid)
    if kind in (FieldKind.VELOCITY, FieldKind.VELOCITY_AS_POSITION):
        vectors = integrate_velocity(vectors, field.grid)
    return vectors


def _less_places(positions: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Positions (3, X, Y, Z) less the places of their nodes."""
    result = np.empty_like(positions)
    for x in range(grid.shape[0]):
        index = np.indices((1, *grid.shape[1:]), dtype=np.float64).reshape(3, -1).T
        index[:, 0] = x
        places = grid.to_world(index).T.reshape(3, *grid.shape[1:])
        result[:, x] = positions[:, x] - places
    return result


def _require_plausible(
    vectors: NDArray[np.float32], field: VectorField, kind: FieldKind, said: FieldMeaning
) -> None:
    """Refuse displacements that look like positions, and positions of another frame.

    What the user says is not doubted.
    """
    moves = kind in (FieldKind.DISPLACEMENT, FieldKind.VELOCITY)
    if said.kind is None and moves and _are_places(vectors, field.grid):
        msg = "a displacement does not grow with the place as positions do"
        got = f"{field.why}, but values that look like positions"
        raise DataError(msg, got=got, mend=_SAY_SO)
    if said.frame is None and kind is FieldKind.POSITION:
        growth = np.diag(_growth(vectors, field.grid))
        if np.abs(growth - _TURNED).max() < _LIKE:
            msg = "the positions of a field grow with the place in their frame"
            got = f"{field.why}, but values that run the other way in x and y"
            raise DataError(msg, got=got, mend=_SAY_SO)


def _is_like_axes(growth: FloatArray) -> bool:
    """Whether vectors grow as places do, each with one axis, in whichever order and direction."""
    nearest = np.rint(growth)
    lone = np.array_equal(np.abs(nearest).sum(0), np.ones(3))
    lone &= np.array_equal(np.abs(nearest).sum(1), np.ones(3))
    return bool(lone and np.abs(growth - nearest).max() < _LIKE)


def _are_places(vectors: NDArray[np.float32], grid: Grid) -> bool:
    """Whether vectors are positions, in mm or in voxels."""
    return _is_like_axes(_growth(vectors, grid)) or _are_indices(vectors, grid)


def _are_indices(vectors: NDArray[np.float32], grid: Grid) -> bool:
    """Whether vectors are their nodes' own indices, in whichever order and direction.

    They grow by one from node to node, as displacements do that stretch by one part in the spacing;
    but these are about zero in the middle of the grid, where indices are half of the shape.
    """
    growth = _growth(vectors, grid) @ grid.affine[:3, :3]
    if not _is_like_axes(growth):
        return False
    middle = np.abs(np.rint(growth)) @ ((np.array(grid.shape) - 1) / 2)
    means = np.abs(vectors.reshape(3, -1).mean(axis=1, dtype=np.float64))
    return bool((np.abs(means - middle) < middle / 2).all())


def _growth(vectors: NDArray[np.float32], grid: Grid) -> FloatArray:
    """(3, 3) how much each component grows with each coordinate; 0 where the grid is flat."""
    rng = np.random.default_rng(0)
    index = rng.integers(0, grid.shape, size=(_SAMPLE, 3))
    places = grid.to_world(index.astype(np.float64))
    values = vectors[:, index[:, 0], index[:, 1], index[:, 2]].T.astype(np.float64)
    slopes, *_ = np.linalg.lstsq(places - places.mean(0), values - values.mean(0), rcond=None)
    return np.asarray(slopes.T)
