"""An analytic chest at inspiration: its tissue at any point of the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lungreg.sources.simulation.spline import Float32
from lungreg.spatial.geometry import FloatArray, Grid

_TYPICAL_HALF_MM = np.array([150.0, 125.0, 145.0])
_LARGEST_SCALE = np.array([1.25, 1.15, 1.15])
_TEXTURE_NODE_MM = 5.0
_TEXTURE_NODES = 64
AIR_HU = -1000.0
MIDDLE_X = -4.0
"""Of the plane between the lungs, in the frame of `Thorax`: the heart pushes it to the left."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tissue:
    """Tissue of an analytic chest at some points; every array has their shape."""

    lung: Float32
    """Share of lung, 0 to 1, partial at its surface."""
    density: Float32
    """HU + 1000 of lung tissue without its vessels."""
    rest_hu: Float32
    """HU of what is no lung: body, heart, spine, and the air around."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Thorax:
    """Sizes in mm of a typical chest, in a frame that `scale_mm` carries into the world.

    Its origin lies in the middle of the chest; its axes point right, to the front and to the head.
    """

    centre_ras: FloatArray
    """(3,) where the origin lies, RAS mm."""
    scale_mm: FloatArray
    """(3,) world mm per mm of the frame, per axis."""
    cavity: FloatArray
    """(2,) half axes of the space inside the ribs, to the side and to the front."""
    apex: float
    """Height of the tips of the lungs."""
    base: float
    """Height below which the ribs' space no longer widens."""
    body: FloatArray
    """(2,) half axes of the skin."""
    fat: float
    """Thickness of the layer under the skin."""
    domes: FloatArray
    """(2,) height of the left and of the right half of the diaphragm."""
    drop: float
    """How far the diaphragm falls from its domes to the wall."""
    heart_centre: FloatArray
    heart: FloatArray
    """(3,) half axes."""
    lung_density: float
    """HU + 1000 of lung tissue at the middle height from back to front."""
    texture: Float32
    """(T, T, T) standard normal, smooth: repeats over the world."""

    def to_frame(self, x: Float32, y: Float32, z: Float32) -> tuple[Float32, Float32, Float32]:
        """World coordinates in mm to those of the frame."""
        c, s = self.centre_ras.astype(np.float32), self.scale_mm.astype(np.float32)
        return (x - c[0]) / s[0], (y - c[1]) / s[1], (z - c[2]) / s[2]

    def to_world(self, points: FloatArray) -> NDArray[np.float64]:
        """Points (N, 3) of the frame to RAS mm."""
        return np.asarray(points * self.scale_mm + self.centre_ras)

    def lung_depth(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """About how deep in the lungs points of the frame lie, mm; negative outside."""
        t = np.clip((z - self.base) / (self.apex - self.base), 0, None)
        ribs = np.sqrt((x / self.cavity[0]) ** 2 + (y / self.cavity[1]) ** 2 + t * t * t * t)
        depth = (1 - ribs) * np.float32(self.cavity.mean() * 0.95)
        depth = np.minimum(depth, self._outside_mediastinum(x, y, z))
        hx, hy, hz = self.heart_centre
        a, b, c = self.heart
        heart = np.sqrt(((x - hx) / a) ** 2 + ((y - hy) / b) ** 2 + ((z - hz) / c) ** 2)
        depth = np.minimum(depth, (heart - 1) * np.float32(self.heart.mean()))
        depth = np.minimum(depth, (z - self._diaphragm(x, y)) * np.float32(0.75))
        return np.asarray(depth, dtype=np.float32)

    def tissue(self, x: Float32, y: Float32, z: Float32, blur_mm: float) -> Tissue:
        """Tissue at world positions (RAS mm), its surfaces blurred over `blur_mm`."""
        grain = self._texture_at(x, y, z)
        x, y, z = self.to_frame(x, y, z)
        lung = np.clip(0.5 + self.lung_depth(x, y, z) / np.float32(blur_mm), 0, 1)
        gravity = 1 - np.float32(0.2) * y / np.float32(self.cavity[1])
        density = np.float32(self.lung_density) * gravity * (1 + np.float32(0.18) * grain)
        rest = self._rest_hu(x, y, z, grain, np.float32(blur_mm))
        return Tissue(lung=lung, density=density, rest_hu=rest)

    def _outside_mediastinum(self, x: Float32, y: Float32, z: Float32) -> Float32:
        width = 24 + 8 * np.clip((30 - z) / 100, 0, 1)
        core = (np.sqrt((x / width) ** 2 + ((y - 4) / 46) ** 2) - 1) * 28
        spine = (self._spine_radius(x, y) - 1) * 21
        middle = np.abs(x - np.float32(MIDDLE_X)) - 5
        return np.asarray(np.minimum(np.minimum(core, spine), middle))

    def _spine_radius(self, x: Float32, y: Float32) -> Float32:
        back = np.float32(-self.cavity[1] + 12)
        return np.asarray(np.sqrt((x / 21) ** 2 + ((y - back) / 25) ** 2))

    def _diaphragm(self, x: Float32, y: Float32) -> Float32:
        right = (1 + np.tanh(x / 12)) / 2
        top = np.float32(self.domes[0]) * (1 - right) + np.float32(self.domes[1]) * right
        a, b = self.cavity
        out = ((np.abs(x) - np.float32(0.5 * a)) / np.float32(0.5 * a)) ** 2
        out = out + ((y - 10) / np.float32(0.95 * b)) ** 2
        return np.asarray(top - np.float32(self.drop) * out / (1 + np.float32(0.2) * out))

    def _rest_hu(
        self, x: Float32, y: Float32, z: Float32, grain: Float32, blur_mm: np.float32
    ) -> Float32:
        skin = np.sqrt((x / self.body[0]) ** 2 + (y / self.body[1]) ** 2)
        depth = ((1 - skin) * self.body.mean()).astype(np.float32)
        muscle = _edge(depth - np.float32(self.fat), blur_mm)
        soft = 45 + 6 * grain + 15 * _edge(x, np.float32(20)) * _edge(-30 - z, np.float32(60))
        inner = _edge(0.97 - np.sqrt((x / 34) ** 2 + ((y - 4) / 50) ** 2), np.float32(0.1))
        soft = soft - 90 * inner * _edge(z - self.domes.min() - 20, np.float32(20))
        soft = self._with_heart(x, y, z, soft)
        spine = _edge((1 - self._spine_radius(x, y) * np.float32(1.15)) * 20, blur_mm)
        bone = 190 + 110 * np.sin(z * np.float32(2 * np.pi / 26)) + 25 * grain
        soft = soft + (bone - soft) * spine
        inside = np.float32(-105) + (soft + 105) * muscle
        return np.asarray(AIR_HU + (inside - AIR_HU) * _edge(depth, blur_mm), dtype=np.float32)

    def _with_heart(self, x: Float32, y: Float32, z: Float32, soft: Float32) -> Float32:
        hx, hy, hz = self.heart_centre
        a, b, c = self.heart
        r = np.sqrt(((x - hx) / a) ** 2 + ((y - hy) / b) ** 2 + ((z - hz) / c) ** 2)
        vessels = np.sqrt(((x + 2) / 22) ** 2 + ((y - 12) / 22) ** 2) + np.clip((z - 80) / 40, 0, 9)
        muscle = np.maximum(_edge(1 - r, np.float32(0.12)), _edge(1 - vessels, np.float32(0.2)))
        return np.asarray(soft + (42 - soft) * muscle)

    def _texture_at(self, x: Float32, y: Float32, z: Float32) -> Float32:
        nodes = np.stack([x, y, z]) / np.float32(_TEXTURE_NODE_MM)
        grain = ndimage.map_coordinates(
            self.texture, nodes, output=np.float32, order=1, mode="grid-wrap"
        )
        return np.asarray(grain)


def draw_thorax(rng: np.random.Generator, grid: Grid) -> Thorax:
    """Draw one patient that fits into the field of view of a grid whose axes are the world's."""
    half = np.array(grid.shape) * grid.spacing_mm / 2
    scale = np.minimum(half / _TYPICAL_HALF_MM, _LARGEST_SCALE) * rng.uniform(0.93, 1.0, 3)
    cavity = np.array([rng.uniform(112, 122), rng.uniform(80, 90)])
    dome = rng.uniform(-58, -40)
    return Thorax(
        centre_ras=grid.centre_ras + rng.uniform(-3, 3, 3),
        scale_mm=scale,
        cavity=cavity,
        apex=rng.uniform(115, 124),
        base=rng.uniform(-70, -50),
        body=cavity + np.array([rng.uniform(18, 22), rng.uniform(21, 25)]),
        fat=rng.uniform(6, 11),
        domes=np.array([dome - rng.uniform(5, 16), dome]),
        drop=rng.uniform(52, 64),
        heart_centre=np.array([rng.uniform(-34, -22), rng.uniform(18, 28), dome + 26]),
        heart=rng.uniform((42, 36, 42), (52, 44, 52)),
        lung_density=rng.uniform(175, 202),
        texture=_draw_texture(rng),
    )


def _draw_texture(rng: np.random.Generator) -> Float32:
    noise = rng.standard_normal((_TEXTURE_NODES,) * 3, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, 1.2, mode="wrap")
    coarse = ndimage.gaussian_filter(noise, 3.0, mode="wrap")
    mixed = smooth / smooth.std() + coarse / coarse.std()
    return np.asarray(mixed / mixed.std(), dtype=np.float32)


def _edge(depth: FloatArray, blur: np.float32) -> Float32:
    """0 outside, 1 inside, a line across `blur`."""
    return np.asarray(np.clip(0.5 + depth / blur, 0, 1), dtype=np.float32)
