"""The measure table: name, unit, sentence, typical values and meaning of everything measured.

Pages, tables and the glossary take their words from here and from nowhere else.
"""

from __future__ import annotations

from lungreg.metrics.measures.deformation import (
    DEFORMATION,
    FOLDS,
    J_MAX,
    J_MIN,
    OUTSIDE,
    SDLOGJ,
    SECONDS,
)
from lungreg.metrics.measures.images import IMAGES, NCC, SSIM
from lungreg.metrics.measures.landmarks import (
    ETRE,
    ETRE_FOUND,
    ETRE_MEDIAN,
    ETRE_P95,
    LANDMARKS,
    TRE,
    TRE_MEDIAN,
    TRE_P95,
)
from lungreg.metrics.measures.lungs import DICE, HD95, LUNGS
from lungreg.metrics.measures.measure import ABSENT, Measure
from lungreg.metrics.measures.terms import MOMENTS, TERMS

__all__ = [
    "ABSENT",
    "ALL_MEASURES",
    "DICE",
    "ETRE",
    "FOLDS",
    "MEASURES",
    "MOMENTS",
    "NCC",
    "SECONDS",
    "TERMS",
    "TRE",
    "Measure",
]

MEASURES: tuple[Measure, ...] = (
    *(DICE, TRE, TRE_MEDIAN, TRE_P95, ETRE, ETRE_MEDIAN, ETRE_P95, ETRE_FOUND, HD95, NCC, SSIM),
    *(FOLDS, J_MIN, J_MAX, SDLOGJ, OUTSIDE),
)
"""The measures of `CaseMetrics`, which every result has, in the order of the tables."""

ALL_MEASURES: tuple[Measure, ...] = (*LANDMARKS, *LUNGS, *IMAGES, *DEFORMATION)
"""Every number that `infer`, `register` or `evaluate` reports of a case, by subject."""
