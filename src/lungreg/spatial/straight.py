"""Volumes at the voxels of a grid whose axes run along their own: axis by axis, with numba.

The places, what they lie between and what counts as outside are those of `kernel.between` and
`kernel.resample_share`, computed once for each axis instead of once for each voxel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.lines import Lines
from lungreg.spatial.threads import run_shares

if TYPE_CHECKING:
    from lungreg.spatial.straight_kernel import Spans

_Floats = NDArray[np.float32]
_STRAIGHT_VOX = 1e-6


def places_by_axis(lines: Lines) -> tuple[_Floats, _Floats, _Floats] | None:
    """Where the voxels of a grid lie along each axis of a volume; None where these mix.

    Returns:
        (X,), (Y,) and (Z,) in voxels of the volume.
    """
    by_axis = lines.x, lines.y, lines.z
    for axis, places in enumerate(by_axis):
        others = np.delete(places, axis, axis=0)
        if np.abs(others).max(initial=0) > _STRAIGHT_VOX:
            return None
    x, y, z = (line[axis] + lines.shift[axis] for axis, line in enumerate(by_axis))
    return x, y, z


def straight_field(field: _Floats, places: tuple[_Floats, ...], *, ends: bool = False) -> _Floats:
    """(3, X, Y, Z) three volumes (3, U, V, W) at places that are given for each axis.

    Args:
        field: Such as a displacement.
        places: (X,), (Y,) and (Z,) in its voxels.
        ends: Whether there is zero more than half a voxel beyond the outer centres, where the outer
            voxels go on otherwise.
    """
    values = np.empty((len(field), *(len(it) for it in places)), np.float32)
    for component, result in zip(field, values, strict=True):
        _linear(component, places, result)
        if ends:
            _put_beyond(0.0, result, _beyond(places, component.shape))
    return values


def straight_volume(
    volume: NDArray[Any], places: tuple[_Floats, ...], *, nearest: bool, outside_value: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A volume (U, V, W) at places that are given for each axis, and where these lie outside it.

    Args:
        volume: float32, or of any type where the nearest voxel is taken.
        places: (X,), (Y,) and (Z,) in its voxels.
        nearest: Take the nearest voxel, not the mean of the eight around.
        outside_value: Beyond the volume.
    """
    values = np.empty([len(it) for it in places], volume.dtype)
    if nearest:
        _nearest(volume, places, values)
    else:
        _linear(volume, places, values)
    beyond = _beyond(places, volume.shape)
    _put_beyond(outside_value, values, beyond)
    x, y, z = beyond
    return values, x[:, None, None] | y[:, None] | z


def _beyond(places: tuple[_Floats, ...], shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """For each axis, which places lie more than half a voxel beyond the outer centres."""
    half = np.float32(0.5)
    return [
        (it < -half) | (it > np.float32(size) - half)
        for it, size in zip(places, shape, strict=True)
    ]


def _put_beyond(value: float, values: NDArray[Any], beyond: list[NDArray[np.bool_]]) -> None:
    x, y, z = beyond
    values[x], values[:, y], values[:, :, z] = value, value, value


def _linear(volume: _Floats, places: tuple[_Floats, ...], values: _Floats) -> None:
    from lungreg.spatial.straight_kernel import straight_share

    x, y, z = (_spans(it, size) for it, size in zip(places, volume.shape, strict=True))
    run_shares(lambda a, b: straight_share((a, b), volume, (x, y, z), values), len(values))


def _nearest(volume: NDArray[Any], places: tuple[_Floats, ...], values: NDArray[Any]) -> None:
    from lungreg.spatial.straight_kernel import straight_nearest_share

    x, y, z = (
        np.where((far > 0.5) | ((far == 0.5) & (low % 2 == 1)), high, low)
        for low, high, _, far in map(_spans, places, volume.shape)
    )
    run_shares(lambda a, b: straight_nearest_share((a, b), volume, (x, y, z), values), len(values))


def _spans(places: _Floats, size: int) -> Spans:
    """As `kernel.between`, for the voxels along an axis."""
    last, one, two = np.float32(size - 1), np.float32(1), np.float32(2)
    unit = places * (two / np.float32(max(size - 1, 1))) - one
    inside = np.clip((unit + one) / two * last, np.float32(0), last)
    low = inside.astype(np.uintp)
    high = np.minimum(low + np.uintp(1), np.uintp(size - 1))
    return low, high, (low + one).astype(np.float32) - inside, inside - low.astype(np.float32)
