"""What a trouble may change about a pair while it is being made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tests.varied.appearance import Look
from tests.varied.scans import Scan

Change = Callable[[np.random.Generator, Scan], Scan]


def unchanged(rng: np.random.Generator, scan: Scan) -> Scan:
    """The scan as it is."""
    return scan


def same_look(rng: np.random.Generator, look: Look) -> Look:
    """The look as it was drawn."""
    return look


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One trouble: everything not named is as in a pair without trouble."""

    about: str
    """One line that says what it is."""
    source: Change = unchanged
    """Changes the inspiration that both scans are made from."""
    scans: Mapping[str, Change] = field(default_factory=dict)
    """By role, changes a scan before its kernel and noise: anatomy, slices, voxels."""
    finished: Mapping[str, Change] = field(default_factory=dict)
    """By role, changes a scan after noise: field of view, values."""
    either: Change | None = None
    """Changes one of the two scans, drawn by the seed, before its kernel and noise."""
    mixed: float = 0.0
    """Share of the fixed scan that is mixed into the moving one, at the same places."""
    looks: Callable[[np.random.Generator, Look], Look] = same_look
    """Changes the look of a scan."""
    look_of: tuple[str, ...] = ("fixed", "moving")
    """Whose look is changed."""
    slides: bool = False
    """The whole breath slides along the wall: ribs and spine stay."""
    deep: bool = False
    """The diaphragm moves by 48 to 60 mm."""
    turn_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """By how much the patient lies turned in the moving scan, about x, y and z."""
    shift_mm: float = 0.0
    """How far the moving scan's header lies away from the fixed one's."""
    bare_header: bool = False
    """One scan's header, drawn by the seed, knows its voxel sizes alone."""
    sagittal: bool = False
    """The moving scan is stored as thick sagittal slices, its axes in another order."""
    offset: float = 0.0
    """Stored values less Hounsfield units in one scan or both, drawn by the seed."""
