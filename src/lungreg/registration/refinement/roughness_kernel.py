"""The loops over the nodes of one step of descent, as numba compiles them: its roughness.

Each call does the share of one thread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungreg.spatial.compiled import compiled, inlined

_Floats = NDArray[np.float32]

_ONE, _TWO, _ZERO = np.float32(1), np.float32(2), np.float32(0)


@inlined
def _second_derivatives(nodes: _Floats, x: int, y: int, found: _Floats) -> None:
    """(6, C) xx, yy, zz, xy, xz, yz of one component along a row of nodes, between its ends."""
    here, right, left = nodes[x, y], nodes[x + 1, y], nodes[x - 1, y]
    above, below, corner = nodes[x, y + 1], nodes[x, y - 1], nodes[x + 1, y + 1]
    for z in range(1, len(here) - 1):
        twice = here[z] + here[z]
        found[0, z] = right[z] - twice + left[z]
        found[1, z] = above[z] - twice + below[z]
        found[2, z] = here[z + 1] - twice + here[z - 1]
        found[3, z] = corner[z] - above[z] - right[z] + here[z]
        found[4, z] = right[z + 1] - right[z] - here[z + 1] + here[z]
        found[5, z] = above[z + 1] - above[z] - here[z + 1] + here[z]


@inlined
def _squares(bends: _Floats, sizes: _Floats) -> None:
    """(C,) the squared length of (3, 6, C), mixed derivatives twice."""
    sizes[:] = _ZERO
    for axis in range(3):
        for kind in range(6):
            factor = _ONE if kind < 3 else _TWO
            for z in range(1, len(sizes) - 1):
                sizes[z] += factor * bends[axis, kind, z] * bends[axis, kind, z]


@inlined
def _weighted(bends: _Floats, weights: _Floats) -> None:
    """(6, C) times (C,), mixed derivatives twice, in place."""
    for kind in range(6):
        factor = _ONE if kind < 3 else _TWO
        for z in range(1, len(weights) - 1):
            bends[kind, z] *= factor * weights[z]


@inlined
def _add_to_row(row: _Floats, values: _Floats, shift: int, factor: np.float32) -> None:
    for z in range(1, len(row) - 1):
        row[z + shift] += factor * values[z]


@inlined
def _spread(gradient: _Floats, x: int, y: int, pull: _Floats) -> None:
    """Add to (P, B, C) what the second derivatives of a row say of all nodes that they look at."""
    xx, yy, zz, xy, xz, yz = pull[0], pull[1], pull[2], pull[3], pull[4], pull[5]
    here, right, above = gradient[x, y], gradient[x + 1, y], gradient[x, y + 1]
    left, below, corner = gradient[x - 1, y], gradient[x, y - 1], gradient[x + 1, y + 1]
    for z in range(1, len(here) - 1):
        here[z] += xy[z] + xz[z] + yz[z] - _TWO * (xx[z] + yy[z] + zz[z])
        right[z] += xx[z] - xy[z] - xz[z]
        above[z] += yy[z] - xy[z] - yz[z]
        left[z] += xx[z]
        below[z] += yy[z]
        corner[z] += xy[z]
    _add_to_row(here, zz, 1, _ONE)
    _add_to_row(here, zz, -1, _ONE)
    _add_to_row(here, xz, 1, -_ONE)
    _add_to_row(here, yz, 1, -_ONE)
    _add_to_row(right, xz, 1, _ONE)
    _add_to_row(above, yz, 1, _ONE)


@compiled
def roughness_and_gradient(
    first: int,
    last: int,
    nodes: _Floats,
    gradient: _Floats,
    node_mm: np.float32,
    kink: np.float32,
    stiffness: _Floats,
) -> float:
    """The summed roughness of planes of inner nodes, and its gradient: `field.roughness`.

    Args:
        first: First plane, at least 1.
        last: Plane after the last one, at most A - 1.
        nodes: (3, A, B, C) displacement, mm.
        gradient: (3, last - first + 2, B, C) from plane `first` - 1 on; the gradient is added.
        node_mm: From node to node.
        kink: Of the plan.
        stiffness: (A, B, C) factor at each node.
    """
    _, _, rows, columns = nodes.shape
    bends = np.zeros((3, 6, columns), np.float32)
    sizes = np.zeros(columns, np.float32)
    per_mm, total = _ONE / (node_mm * node_mm), 0.0
    for x in range(first, last):
        for y in range(1, rows - 1):
            for axis in range(3):
                _second_derivatives(nodes[axis], x, y, bends[axis])
            _squares(bends, sizes)
            for z in range(1, columns - 1):
                size = np.sqrt(sizes[z] * per_mm + kink * kink)
                total += stiffness[x, y, z] * size
                sizes[z] = stiffness[x, y, z] * per_mm / size
            for axis in range(3):
                _weighted(bends[axis], sizes)
                _spread(gradient[axis], x - first + 1, y, bends[axis])
    return total
