"""A breathing motion for a given chest: the true `T` of a simulated pair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lungreg.sources.simulation.chest import Chest
from lungreg.sources.simulation.records import BreathingSettings
from lungreg.sources.simulation.spline import SplineField, lattice_over
from lungreg.spatial.geometry import FloatArray, Grid

_NODE_MM = 12.0
_WOBBLE_NODE_MM = 36.0
_WOBBLE_SHARE = 0.06
"""Irregular motion, as a share of the diaphragm's motion."""
_INVERSE_STEPS = 8
_REFINING_STEPS = 3
_PROBE_MM = 1.0
_STEEPEST = 0.55
"""Greatest share of its height that a lung may lose anywhere: more would fold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exhaling:
    """The motion in closed form, from inspiration to expiration: lengths in mm.

    The diaphragm rises, most at its dome and at the back, less towards apex and wall; the ribs come
    in and the front sinks; spine and everything far away stay.
    """

    chest: Chest
    """Measured at inspiration."""
    diaphragm_mm: float
    """Greatest rise of the diaphragm."""
    bend: float
    """At least 1: how much of the motion stays near the diaphragm."""
    side_share: tuple[float, float]
    """Share of the motion in the left and in the right lung."""
    front_loss: float
    """Share of the motion that the front lacks."""
    rib_mm: float
    """Motion of the ribs towards the middle on each side."""
    front_mm: float
    """Motion of the breast bone towards the spine."""
    sink_mm: float
    """Motion of the breast bone downwards."""
    wobble: SplineField
    """Irregular motion of a few mm that differs from place to place."""

    def at(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """Displacement (N, 3) in mm at points (N, 3) of the inspiration, RAS mm."""
        c = self.chest
        x, y, z = points_ras.T
        inside = c.inside.at(x, y)
        side = (x - c.middle_x) / c.half_width
        depth = (y - c.back_y) / (c.front_y - c.back_y)
        level = (z - c.low_z) / (c.top_z - c.low_z)
        belly = _fade((c.low_z - 60.0 - z) / 250.0)
        far = _fade((np.abs(side) - 1.2) / 1.0) * _fade((np.abs(depth - 0.5) - 0.8) / 1.0)
        ribs = far * np.exp(-(((level - 0.35) / 0.55) ** 2))
        front = np.clip(depth, 0.0, None) ** 2 / (0.3 + np.clip(depth, 0.0, None))
        wobble = self.wobble.at(points_ras) * (inside * belly * _fade(level - 1.0))[:, None]
        rise = self._rise(side, depth, c.floor.at(x, y), z) * inside * belly
        sink = self.sink_mm * front * (1 - inside) * ribs
        return np.stack(
            [
                wobble[:, 0] - self.rib_mm * side * ribs,
                wobble[:, 1] - self.front_mm * front * ribs,
                wobble[:, 2] + rise - sink,
            ],
            axis=1,
        )

    def _rise(
        self, side: FloatArray, depth: FloatArray, floor: FloatArray, z: FloatArray
    ) -> FloatArray:
        height = np.clip((z - floor) / (self.chest.top_z - floor), 0.0, 1.0)
        left, right = self.side_share
        share = left + (right - left) * (1 + np.tanh(side / 0.2)) / 2
        front = 1 - self.front_loss * _smooth_unit(depth)
        return np.asarray(self.diaphragm_mm * share * front * (1 - height) ** self.bend)


@dataclass(frozen=True, kw_only=True, eq=False)
class Breathing:
    """The true `T`, from expiration (fixed) to inspiration (moving)."""

    field: SplineField
    """`T(x) - x`; this spline is the truth that displacement and landmarks are read from."""
    exhaling: Exhaling
    """The motion that `field` is the inverse of, to a fraction of a millimetre."""

    def to_moving(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """`T` of points (N, 3) in RAS mm."""
        return np.asarray(points_ras + self.field.at(points_ras))

    def to_fixed(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """The inverse of `T` at points (N, 3) in RAS mm."""
        target = _exhale(self.exhaling, points_ras)
        found = target
        for _ in range(_REFINING_STEPS):
            found = found + target - _exhale(self.exhaling, self.to_moving(found))
        return found

    def expansion(self, points_ras: FloatArray) -> NDArray[np.float64]:
        """(N,) Jacobian determinant of `T` at points (N, 3) in RAS mm."""
        columns = [
            self.to_moving(points_ras + step) - self.to_moving(points_ras - step)
            for step in np.eye(3) * _PROBE_MM
        ]
        return np.asarray(np.linalg.det(np.stack(columns, axis=2) / (2 * _PROBE_MM)))


def draw_breathing(
    rng: np.random.Generator, chest: Chest, grid: Grid, settings: BreathingSettings
) -> Breathing:
    """Draw one patient's breathing.

    Args:
        rng: Source of the differences between cases.
        chest: The lungs at inspiration.
        grid: The expiration's grid: the motion is known on it and a little beyond.
        settings: The ranges to draw from.
    """
    low, high = settings.diaphragm_mm
    asked_mm = rng.uniform(low + 0.02 * (high - low), high - 0.02 * (high - low))
    exhaling = _draw_exhaling(rng, chest, settings, asked_mm)
    lattice = lattice_over(grid, _NODE_MM)
    nodes = lattice.to_world(np.indices(lattice.shape, dtype=np.float64).reshape(3, -1).T)
    inhaled = nodes
    for _ in range(_INVERSE_STEPS):
        inhaled = nodes - exhaling.at(inhaled)
    values = (inhaled - nodes).T.reshape(3, *lattice.shape)
    field = SplineField.through(values, lattice)
    return Breathing(field=_settled(field, exhaling), exhaling=exhaling)


def _settled(field: SplineField, exhaling: Exhaling) -> SplineField:
    """Scale a field so that its largest fall is the one drawn: between nodes it overshoots."""
    inhaled = exhaling.chest.points_ras
    moved_mm = float(-field.at(_exhale(exhaling, inhaled))[:, 2].min())
    meant_mm = float(exhaling.at(inhaled)[:, 2].max())
    scale = np.float32(meant_mm / moved_mm)
    return replace(field, coefficients=field.coefficients * scale)


def _draw_exhaling(
    rng: np.random.Generator, chest: Chest, settings: BreathingSettings, asked_mm: float
) -> Exhaling:
    rib_mm = rng.uniform(*settings.rib_mm)
    weaker = rng.uniform(0.75, 0.95)
    drawn = Exhaling(
        chest=chest,
        diaphragm_mm=1.0,
        bend=rng.uniform(1.15, 1.5),
        side_share=(weaker, 1.0) if rng.random() < 0.5 else (1.0, weaker),
        front_loss=rng.uniform(0.2, 0.4),
        rib_mm=rib_mm,
        front_mm=rib_mm * rng.uniform(1.0, 1.6),
        sink_mm=rib_mm * rng.uniform(0.4, 0.8),
        wobble=_draw_wobble(rng, chest, _WOBBLE_SHARE * asked_mm),
    )
    height = chest.top_z - float(chest.floor.values.max())
    diaphragm_mm = min(_rise_giving(drawn, asked_mm), _STEEPEST * height / drawn.bend)
    return replace(drawn, diaphragm_mm=diaphragm_mm)


def _rise_giving(drawn: Exhaling, asked_mm: float) -> float:
    """The `diaphragm_mm` for which the lungs rise by `asked_mm` where they rise most."""
    if not drawn.chest.shows_bases:
        return asked_mm
    points = drawn.chest.points_ras
    rest = replace(drawn, diaphragm_mm=0.0).at(points)[:, 2]
    share = drawn.at(points)[:, 2] - rest
    moved = share > 0.5
    return float(((asked_mm - rest[moved]) / share[moved]).min())


def _draw_wobble(rng: np.random.Generator, chest: Chest, size_mm: float) -> SplineField:
    low = chest.points_ras.min(axis=0) - 2 * _WOBBLE_NODE_MM
    extent = chest.points_ras.max(axis=0) + 2 * _WOBBLE_NODE_MM - low
    nx, ny, nz = (int(np.ceil(length / _WOBBLE_NODE_MM)) + 1 for length in extent)
    affine = np.diag([_WOBBLE_NODE_MM] * 3 + [1.0])
    affine[:3, 3] = low
    coefficients = rng.normal(0.0, size_mm, (3, nx, ny, nz)).astype(np.float32)
    return SplineField(lattice=Grid(shape=(nx, ny, nz), affine=affine), coefficients=coefficients)


def _exhale(exhaling: Exhaling, points_ras: FloatArray) -> NDArray[np.float64]:
    return np.asarray(points_ras + exhaling.at(points_ras))


def _fade(t: FloatArray) -> FloatArray:
    """1 up to 0, then smoothly down to 0 at 1."""
    return 1 - _smooth_unit(t)


def _smooth_unit(t: FloatArray) -> FloatArray:
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
