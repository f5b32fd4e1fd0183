"""Colour ramps: from scalars to RGB pixels, and the same ramp as a CSS gradient for legends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rgb = tuple[int, int, int]

FOLDED: Rgb = (255, 0, 200)
"""Solid colour of voxels where the map folds; in no ramp."""


@dataclass(frozen=True)
class Ramp:
    """Colours at equal steps from 0 to 1, linear in between."""

    anchors: tuple[str, ...]
    """Hexadecimal sRGB, "#rrggbb"."""

    def paint(self, values: NDArray[np.floating]) -> Pixels:
        """Colours (..., 3) of values (...); below 0 and above 1 take the end colours."""
        stops = np.linspace(0.0, 1.0, len(self.anchors))
        table = np.array([_rgb(anchor) for anchor in self.anchors], dtype=np.float64)
        steps = np.linspace(0.0, 1.0, 256)
        ramp = np.stack([np.interp(steps, stops, channel) for channel in table.T], axis=-1)
        shades = np.clip(np.nan_to_num(values) * 255.0, 0.0, 255.0)
        return np.asarray(np.rint(ramp).astype(np.uint8)[np.rint(shades).astype(np.uint8)])

    @property
    def css(self) -> str:
        """The ramp from left to right as a CSS gradient."""
        return f"linear-gradient(to right, {', '.join(self.anchors)})"


def grey(values: NDArray[np.floating]) -> Pixels:
    """Grey levels (H, W) of values 0 to 1, clipped."""
    return np.asarray(np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * 255.0).astype(np.uint8))


def _rgb(anchor: str) -> Rgb:
    return int(anchor[1:3], 16), int(anchor[3:5], 16), int(anchor[5:7], 16)


# Sampled from matplotlib's magma and viridis and from ColorBrewer's blue-orange: even in
# lightness, and distinct with any colour vision.
DIFFERENCE = Ramp(("#000004", "#3b0f70", "#8c2981", "#de4968", "#fe9f6d", "#fcfdbf"))
LENGTH = Ramp(("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"))
# Green is good; lightness falls from 2 mm on, and the worst are the darkest and reddest.
ERROR = Ramp(("#3ddc84", "#d3e84a", "#ffb52e", "#ff5a36", "#e0218a"))
DIVERGING = Ramp(("#053061", "#2b74b3", "#8fc3dd", "#f2f2f0", "#f5b26b", "#c4610e", "#6b2f04"))
