"""Landmarks as marks on a slice: where they should be, were before, and are after registration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungreg.qc.outlines import UNITS_PER_MM
from lungreg.qc.place_marks import error_colour, is_near
from lungreg.qc.planes import View
from lungreg.spatial.geometry import FloatArray

if TYPE_CHECKING:
    from lungreg.registration.landmark_places import LandmarkPlaces

Point = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class LandmarkMark:
    """One landmark, in units of 1 / `UNITS_PER_MM` mm from the picture's top left."""

    fixed: Point
    """Where it was marked in the fixed scan."""
    before: Point
    """Where the moving scan shows it after the alignment alone."""
    after: Point
    """Where the moving scan shows it after registration."""
    before_colour: str
    """Of its error before registration, hexadecimal sRGB."""
    after_colour: str
    title: str
    """Both errors in words."""


def mark_landmarks(view: View, landmarks: LandmarkPlaces | None) -> tuple[LandmarkMark, ...]:
    """The landmarks that were marked near a slice of the fixed scan, the worst on top.

    Before and after lie where they are seen along the axis that the slice is across.

    Args:
        view: The slice.
        landmarks: From `place_landmarks`; None draws nothing.
    """
    if landmarks is None:
        return ()
    fixed_mm, away_mm = view.project(landmarks.fixed_ras)
    before_mm, _ = view.project(landmarks.before_ras)
    after_mm, _ = view.project(landmarks.after_ras)
    near = np.flatnonzero(is_near(view, fixed_mm, away_mm))
    return tuple(
        LandmarkMark(
            fixed=_units(fixed_mm[k]),
            before=_units(before_mm[k]),
            after=_units(after_mm[k]),
            before_colour=error_colour(landmarks.aligned_mm[k]),
            after_colour=error_colour(landmarks.errors_mm[k]),
            title=f"{landmarks.errors_mm[k]:.1f} mm, before {landmarks.aligned_mm[k]:.1f} mm",
        )
        for k in near[np.argsort(landmarks.errors_mm[near], kind="stable")]
    )


def _units(at_mm: FloatArray) -> Point:
    x, y = np.rint(at_mm * UNITS_PER_MM).astype(int).tolist()
    return x, y
