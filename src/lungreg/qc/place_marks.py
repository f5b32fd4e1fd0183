"""Distinctive places of the lungs as marks on a slice, coloured by their estimated error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lungreg.qc.colours import ERROR
from lungreg.qc.outlines import UNITS_PER_MM
from lungreg.qc.planes import View
from lungreg.spatial.geometry import FloatArray

if TYPE_CHECKING:
    from lungreg.registration.correspondences import LandmarkEstimate

WORST_MM = 8
"""Upper end of the colours' scale; each whole millimetre below it has a colour."""
NEAR_MM = 6.0
"""Places up to this far from a slice are drawn on it."""

_LEAST_RADIUS_MM = 1.5
_GROWTH = 0.2
"""By how much the radius grows with each millimetre of error: the worst are seen first."""


@dataclass(frozen=True, kw_only=True)
class PlaceMark:
    """One place as a circle, in units of 1 / `UNITS_PER_MM` mm from the picture's top left."""

    x: int
    y: int
    radius: int
    title: str
    """Its error in words."""


@dataclass(frozen=True, kw_only=True)
class PlaceMarks:
    """The marks of one colour."""

    kind: str
    """"mm0" to "mm8" by the whole millimetres of the error; "alone" for places without partner."""
    colour: str
    """Hexadecimal sRGB; "none" for places without partner, which stay hollow."""
    marks: tuple[PlaceMark, ...]


def mark_places(view: View, places: LandmarkEstimate | None) -> tuple[PlaceMarks, ...]:
    """The places near a slice: those without partner first, then by error, the worst on top.

    Args:
        view: The slice.
        places: From `estimate_landmarks`; None draws nothing.
    """
    if places is None:
        return ()
    at_mm, away_mm = view.project(places.places_ras)
    near = is_near(view, at_mm, away_mm)
    classes = np.full(len(near), -1)
    known = np.isfinite(places.errors_mm)
    classes[known] = np.clip(places.errors_mm[known], 0, WORST_MM).astype(int)
    return tuple(
        _marks(level, at_mm[chosen], places.errors_mm[chosen])
        for level in range(-1, WORST_MM + 1)
        if (chosen := near & (classes == level)).any()
    )


def is_near(view: View, at_mm: FloatArray, away_mm: FloatArray) -> NDArray[np.bool_]:
    """(N,) whether points that `View.project` gave lie inside the picture, near the slice."""
    height_mm, width_mm = view.size_mm
    inside = (at_mm >= 0).all(axis=1) & (at_mm <= (width_mm, height_mm)).all(axis=1)
    return np.asarray(inside & (away_mm <= NEAR_MM))


def error_colour(error_mm: float) -> str:
    """Hexadecimal sRGB of an error by its whole millimetres, the last colour from `WORST_MM` on."""
    level = int(min(max(error_mm, 0.0), WORST_MM))
    red, green, blue = ERROR.paint(np.array(level / WORST_MM)).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _marks(level: int, at_mm: FloatArray, errors_mm: FloatArray) -> PlaceMarks:
    """The marks of one colour; level -1 is of places without partner."""
    radius = _LEAST_RADIUS_MM + _GROWTH * max(level, 0)
    marks = tuple(
        PlaceMark(
            x=round(x * UNITS_PER_MM),
            y=round(y * UNITS_PER_MM),
            radius=round(radius * UNITS_PER_MM),
            title="no partner" if level < 0 else f"{error:.1f} mm",
        )
        for (x, y), error in zip(at_mm.tolist(), errors_mm.tolist(), strict=True)
    )
    return PlaceMarks(
        kind="alone" if level < 0 else f"mm{level}",
        colour="none" if level < 0 else error_colour(level),
        marks=marks,
    )
