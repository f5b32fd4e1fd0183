"""Frozen records passed between steps: cases, metrics, results, evaluations, model cards."""

from __future__ import annotations

from lungreg.records.cases import (
    Case,
    Remarks,
    Split,
    Status,
    Verdict,
    same_form,
    verdict_words,
)
from lungreg.records.counting import counted
from lungreg.records.measures import (
    LUNG_PARTS,
    CaseMetrics,
    Evidence,
    RegionError,
)
from lungreg.records.models import (
    MODEL_SECTIONS,
    RESEARCH_USE,
    SCHEMA_VERSION,
    ModelCard,
    ModelVersion,
    RegistrationJob,
)
from lungreg.records.results import (
    RESULT_COLUMNS,
    CaseEvaluation,
    CaseResult,
    PairResult,
)

__all__ = [
    "Case",
    "CaseEvaluation",
    "CaseMetrics",
    "CaseResult",
    "Evidence",
    "LUNG_PARTS",
    "MODEL_SECTIONS",
    "ModelCard",
    "ModelVersion",
    "PairResult",
    "RESEARCH_USE",
    "RESULT_COLUMNS",
    "RegionError",
    "RegistrationJob",
    "Remarks",
    "SCHEMA_VERSION",
    "Split",
    "Status",
    "Verdict",
    "counted",
    "same_form",
    "verdict_words",
]
