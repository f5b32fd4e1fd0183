"""Branching vessels, airways and ribs of an analytic chest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungreg.sources.simulation.thorax import Thorax
from lungreg.sources.simulation.tubes import Tubes, sweep
from lungreg.spatial.geometry import FloatArray

_TIPS_PER_LUNG = 500
_PIECE_MM = 7.0
_DETOUR = 0.45
"""How much a new branch prefers a short way to the root over a short way to the tree."""
_TIP_RADIUS_MM = 0.9
_ROOT_RADIUS_MM = 3.0
_GROWTH = 0.36
"""Radius of a branch: the tips beyond it to this power (Murray's law has 1/3)."""
_HILA = np.array([[-30.0, -4.0, 14.0], [30.0, -4.0, 18.0]])
_RIBS = 11
_RIB_RADIUS_MM = 4.2


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tree:
    nodes: NDArray[np.float64]
    """(N, 3) mm; the first is the root."""
    parents: NDArray[np.intp]
    """(N,) each node's parent comes before it."""


def draw_vessels(rng: np.random.Generator, thorax: Thorax, step_mm: float) -> Tubes:
    """Grow a tree of vessels into each lung, tips spread evenly up to near the surface."""
    candidates = rng.uniform((-130, -100, -125), (130, 100, 125), (20_000, 3))
    depth = thorax.lung_depth(*candidates.astype(np.float32).T)
    inside = candidates[depth > 4.0]
    parts = []
    for root in _HILA:
        tips = inside[inside[:, 0] * root[0] > 0][:_TIPS_PER_LUNG]
        parts.append(_tubes(_grow(rng, root, tips), thorax, step_mm))
    return _joined(parts)


def draw_airways(thorax: Thorax, step_mm: float) -> Tubes:
    """Windpipe and main bronchi."""
    fork = np.array([0.0, -2.0, 42.0])
    left, right = _HILA + np.array([[0.0, -4.0, 8.0]])
    down_left, down_right = np.array([-12.0, 0.0, -8.0]), np.array([12.0, 0.0, -8.0])
    lines = [
        (np.array([[0.0, 2.0, 220.0], fork]), 8.0),
        (np.array([fork, (fork + left) / 2, left + down_left]), 5.5),
        (np.array([fork, (fork + right) / 2, right + down_right]), 6.0),
    ]
    return _joined([_swept(line, np.full(len(line), r), thorax, step_mm) for line, r in lines])


def draw_ribs(rng: np.random.Generator, thorax: Thorax, step_mm: float) -> Tubes:
    """Ribs from the spine round to the front, sloping down, and the breast bone."""
    slope = rng.uniform(38, 55)
    top, bottom = thorax.apex - 2, thorax.base - 38
    turn = np.linspace(0.12, 0.86, 60) * np.pi
    parts = []
    for level in np.linspace(top, bottom, _RIBS):
        z = level - slope * (1 - np.cos(turn)) / 2
        t = np.clip((z - thorax.base) / (thorax.apex + 8 - thorax.base), 0, 0.96)
        radius = np.sqrt(1 - t**4)
        for side in (-1, 1):
            x = side * (thorax.cavity[0] + 6) * radius * np.sin(turn)
            y = -(thorax.cavity[1] + 6) * radius * np.cos(turn)
            line = np.stack([x, y, z], axis=1)
            parts.append(_swept(line, np.full(len(line), _RIB_RADIUS_MM), thorax, step_mm))
    for across in (-6.0, 0.0, 6.0):
        front = thorax.cavity[1] + 7
        line = np.array(
            [[across, front * 0.86, 70.0], [across, front, 0.0], [across, front, -40.0]]
        )
        parts.append(_swept(line, np.full(3, 5.0), thorax, step_mm))
    return _joined(parts)


def _grow(rng: np.random.Generator, root: FloatArray, tips: FloatArray) -> _Tree:
    """Join tips to the tree one by one, nearest to the root first, each where it costs least."""
    nodes = np.empty((len(tips) * 40 + 1, 3))
    parents = np.zeros(len(nodes), dtype=np.intp)
    path = np.zeros(len(nodes))
    nodes[0], count = root, 1
    for tip in tips[np.argsort(np.linalg.norm(tips - root, axis=1))]:
        gap = np.linalg.norm(nodes[:count] - tip, axis=1)
        start = int((gap + _DETOUR * path[:count]).argmin())
        pieces = max(1, int(np.ceil(gap[start] / _PIECE_MM)))
        share = np.arange(1, pieces + 1)[:, None] / pieces
        bow = rng.normal(0, 0.06 * gap[start], 3) * np.sin(np.pi * share)
        last = count + pieces
        nodes[count:last] = nodes[start] + (tip - nodes[start]) * share + bow
        parents[count:last] = [start, *range(count, last - 1)]
        path[count:last] = path[start] + gap[start] * share[:, 0]
        count = last
    return _Tree(nodes=nodes[:count], parents=parents[:count])


def _tubes(tree: _Tree, thorax: Thorax, step_mm: float) -> Tubes:
    count = len(tree.nodes)
    children = np.bincount(tree.parents[1:], minlength=count)
    tips = (children == 0).astype(float)
    for node in range(count - 1, 0, -1):
        tips[tree.parents[node]] += tips[node]
    radius = np.minimum(_ROOT_RADIUS_MM, _TIP_RADIUS_MM * tips**_GROWTH)
    world = thorax.to_world(tree.nodes)
    steps = max(2, int(np.ceil(_PIECE_MM * thorax.scale_mm.max() / step_mm)))
    share = (np.arange(steps) / steps)[:, None, None]
    start, end = world[tree.parents[1:]], world[1:]
    dense = (start + (end - start) * share).reshape(-1, 3)
    thick = np.tile(radius[1:], steps)
    return Tubes(points_ras=dense, radius_mm=thick, forks_ras=world[1:][children[1:] > 1])


def _swept(line: FloatArray, radius_mm: FloatArray, thorax: Thorax, step_mm: float) -> Tubes:
    points, radii = sweep(thorax.to_world(line), radius_mm, step_mm)
    return Tubes(points_ras=points, radius_mm=radii, forks_ras=np.empty((0, 3)))


def _joined(parts: list[Tubes]) -> Tubes:
    return Tubes(
        points_ras=np.concatenate([p.points_ras for p in parts]),
        radius_mm=np.concatenate([p.radius_mm for p in parts]),
        forks_ras=np.concatenate([p.forks_ras for p in parts]),
    )
