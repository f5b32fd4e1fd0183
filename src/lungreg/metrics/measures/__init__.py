"""The measure table: name, unit, sentence, typical values and meaning of everything measured.

Pages, tables in a terminal and the site's glossary take their words from here and from nowhere
else. Nothing heavy is imported: the site is built without NumPy and PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping

from lungreg.metrics.measures.columns import Column, columns
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
    REGIONS,
    TRE,
    TRE_MEDIAN,
    TRE_P95,
)
from lungreg.metrics.measures.lungs import DICE, HD95, LUNGS
from lungreg.metrics.measures.measure import ABSENT, Measure, Reported
from lungreg.metrics.measures.remarks import LUNGS_FROM, REMARKS
from lungreg.metrics.measures.terms import MOMENTS, TERMS

__all__ = [
    "ABSENT",
    "ALL_MEASURES",
    "Column",
    "DICE",
    "ETRE",
    "ETRE_FOUND",
    "ETRE_P95",
    "EVALUATED",
    "FOLDS",
    "HD95",
    "MEASURES",
    "MOMENTS",
    "NCC",
    "REGIONS",
    "REPORTED",
    "SECONDS",
    "TERMS",
    "TRE",
    "TRE_MEDIAN",
    "Measure",
    "Reported",
]

MEASURES: tuple[Measure, ...] = (
    *(DICE, TRE, TRE_MEDIAN, TRE_P95, ETRE, ETRE_MEDIAN, ETRE_P95, ETRE_FOUND, HD95, NCC, SSIM),
    *(FOLDS, J_MIN, J_MAX, SDLOGJ, OUTSIDE),
)
"""The measures of `CaseMetrics`, which every result has, in the order of the tables."""

ALL_MEASURES: tuple[Measure, ...] = (*LANDMARKS, *LUNGS, *IMAGES, *DEFORMATION)
"""Every number that `infer`, `register` or `evaluate` reports of a case, by subject."""

REPORTED: tuple[Reported, ...] = (*LANDMARKS, REGIONS, *LUNGS, *IMAGES, *DEFORMATION, *REMARKS)
"""All that is reported of a case, numbers and words, in the order of the glossary."""

EVALUATED: Mapping[str, Column] = columns(
    (measure for measure in ALL_MEASURES if measure is not SECONDS), LUNGS_FROM
)
"""The fields of `CaseEvaluation` that its table of one case shows, in that order."""
