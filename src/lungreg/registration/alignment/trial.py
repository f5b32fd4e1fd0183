"""The short coarse registration by which an affine start is judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lungreg.registration.alignment.agreement import agreement
from lungreg.registration.alignment.coarse import Coarse, coarse, coarser
from lungreg.registration.alignment.fitting import fit
from lungreg.registration.alignment.level import Level, densities, make_level, structures
from lungreg.registration.alignment.scan import Scan
from lungreg.spatial.geometry import FloatArray, apply_affine

_SCAN_MM, _COARSER_MM = 4.0, 8.0
_QUICK_MM, _MIDDLE_MM, _FINE_MM = 12.0, 8.0, 6.0
_DENSITY_TOLERANCE, _STRUCTURE_TOLERANCE = 0.2, 1.0
_SAME_END_MM = 20.0
_FINISHED, _NEARLY = 2, 0.08


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """The end of a short registration."""

    affine: FloatArray
    """(4, 4) from fixed to moving RAS mm."""
    score: float
    """Agreement there, at most 1."""


class Bench:
    """Both scans of a pair, ready for short registrations from any start."""

    def __init__(self, fixed: Scan, moving: Scan) -> None:
        both = fixed.lungs is not None and moving.lungs is not None
        self._fine = [coarse(scan if both else scan.bare, _SCAN_MM) for scan in (fixed, moving)]
        self.fixed: Coarse = coarser(self._fine[0], _COARSER_MM)
        self.moving: Coarse = coarser(self._fine[1], _COARSER_MM)

    @cached_property
    def _quick(self) -> Level:
        return make_level(self.fixed, self.moving, _QUICK_MM, densities)

    @cached_property
    def _middle(self) -> Level:
        return make_level(self.fixed, self.moving, _MIDDLE_MM, densities)

    @cached_property
    def _finest(self) -> Level:
        return make_level(self._fine[0], self._fine[1], _FINE_MM, structures)

    @property
    def middle_ras(self) -> FloatArray:
        """(3,) middle of the places that are compared, RAS mm of the fixed scan."""
        return self._quick.middle_ras

    def score(self, affine: FloatArray) -> float:
        """Agreement under an affine as it is, by structures at 6 mm; at most 1."""
        return agreement(self._finest, affine)

    def quick(self, start: FloatArray) -> Trial:
        """A few steps at 12 mm, by densities: enough to see which starts lead anywhere."""
        end = fit(self._quick, start, rigid=5, affine=2, tolerance=_DENSITY_TOLERANCE)
        return Trial(affine=end, score=agreement(self._quick, end))

    def finish(self, start: FloatArray) -> Trial:
        """The steps after the quick ones: by densities at 8 mm, by structures at 6 mm."""
        end = fit(self._middle, start, rigid=2, affine=4, tolerance=_DENSITY_TOLERANCE)
        end = fit(self._finest, end, rigid=0, affine=3, tolerance=_STRUCTURE_TOLERANCE)
        return Trial(affine=end, score=self.score(end))

    def best(self, starts: Iterable[FloatArray]) -> Trial:
        """The best end of short registrations from several starts.

        Of the ends of the quick steps, the best is finished, and the second where it scores nearly
        as much; ends at about one place count once.

        Args:
            starts: (4, 4) each.
        """
        quick = sorted((self.quick(start) for start in starts), key=lambda t: -t.score)
        near = [trial for trial in quick if trial.score >= quick[0].score - _NEARLY]
        ends = [self.finish(trial.affine) for trial in self._distinct(near)[:_FINISHED]]
        return max(ends, key=lambda trial: trial.score)

    def _distinct(self, trials: Sequence[Trial]) -> list[Trial]:
        corners = self._quick.grid.corners_ras()
        kept: list[Trial] = []
        places: list[FloatArray] = []
        for trial in trials:
            here = apply_affine(trial.affine, corners)
            if all(np.abs(here - other).max() > _SAME_END_MM for other in places):
                kept.append(trial)
                places.append(here)
        return kept
