"""One case of the calibration: made, registered or given a known error, measured, judged."""

from __future__ import annotations

import dataclasses
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lungreg import metrics
from lungreg.config import Quality
from lungreg.config.model import Preprocessing
from lungreg.metrics.verdict import Judgement
from lungreg.registration.alignment import align
from lungreg.registration.evaluation import Measured, measure
from lungreg.registration.images import carry_moving, pair_images
from lungreg.registration.judgement import judge_pair
from lungreg.registration.refinement import plan_for, refine
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Transform, apply_affine
from tests.varied.displaced import DISPLACED, make_displaced
from tests.varied.errors import make_error
from tests.varied.pairs import make_varied
from tests.varied.record import VariedCase
from tests.varied.wrong import make_wrong

_GOOD_MM, _BAD_MM = 2.0, 4.0
WRONG_PREFIX = "wrong:"
_FINE = ("wrong:same_scan",)
_WINDOW = Preprocessing().hu_window


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which case."""

    group: str
    base: str
    trouble: str
    """A key of `TROUBLES` or `DISPLACED`, or "wrong:" and a key of `WRONG`."""
    seed: int
    error: str | None
    """A key of `ERRORS` put on the truth; None to register."""


def judge_case(plan: Plan) -> dict[str, Any]:
    """The row of one case: its true error, its kind, and both judgements."""
    torch.set_num_threads(1)
    case = _make(plan)
    transform, warning = _transform(plan, case)
    pair = case.with_masks if plan.seed % 2 else case.pair
    images = pair_images(
        pair, transform, carry_moving(pair, transform, CPU), hu_window=_WINDOW, device=CPU
    )
    measured = measure(pair, transform, images)
    true = None if case.truth is None else metrics.landmark_summary(case.error_mm(transform))
    true_mm = None if true is None else round(true.mean_mm, 4)
    row: dict[str, Any] = {
        **dataclasses.asdict(plan),
        "commit": _commit(),
        "masks": bool(plan.seed % 2),
        "true_mm": true_mm,
        **({} if true is None else _spread(true)),
        "kind": _kind(plan, true_mm),
        **({} if warning is None else {"alignment_warning": warning}),
        **_figures(measured),
    }
    row["estimated"] = _said(judge_pair(pair, measured, Quality(), hu_window=_WINDOW)[1])
    if true is not None and not plan.trouble.startswith(WRONG_PREFIX):
        evidence = dataclasses.replace(
            measured.evidence, landmarks=len(case.landmarks_ras), tre_max_mm=true.max_mm
        )
        with_landmarks = dataclasses.replace(
            measured, metrics=_landmarks(case, transform, measured, true), evidence=evidence
        )
        row["landmarks"] = _said(judge_pair(pair, with_landmarks, Quality(), hu_window=_WINDOW)[1])
    return row


@cache
def _commit() -> str | None:
    """The code that judged a row: a run of hours may be gone on with by a later one."""
    asked = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stdout.strip() or None


def _spread(true: metrics.LandmarkSummary) -> dict[str, float]:
    return {
        "true_median_mm": round(true.median_mm, 4),
        "true_p95_mm": round(true.p95_mm, 4),
        "true_max_mm": round(true.max_mm, 4),
    }


def _make(plan: Plan) -> VariedCase:
    if plan.trouble.startswith(WRONG_PREFIX):
        return make_wrong(plan.trouble.removeprefix(WRONG_PREFIX), plan.base, plan.seed)
    if plan.trouble in DISPLACED:
        return make_displaced(plan.trouble, plan.base, plan.seed)
    return make_varied(plan.base, plan.trouble, plan.seed)


def _transform(plan: Plan, case: VariedCase) -> tuple[Transform, str | None]:
    if plan.error is not None:
        return make_error(plan.error, case, plan.seed), None
    pair = case.with_masks if plan.seed % 2 else case.pair
    chosen = align(pair, _WINDOW, "auto")
    found = refine(pair, chosen.affine, plan_for("default"), device=CPU)
    return found.transform, chosen.warning


def _kind(plan: Plan, true_mm: float | None) -> str:
    wrong = plan.trouble.startswith(WRONG_PREFIX) and plan.trouble not in _FINE
    if wrong or true_mm is None or true_mm > _BAD_MM:
        return "bad"
    return "good" if true_mm <= _GOOD_MM else "between"


def _figures(measured: Measured) -> dict[str, Any]:
    figures = {
        **dataclasses.asdict(measured.metrics),
        **dataclasses.asdict(measured.evidence),
    }
    regions = measured.evidence.etre_regions
    figures["worst_region"] = next((str(it) for it in regions), None)
    figures["etre_regions"] = [_rounded(dataclasses.asdict(region)) for region in regions]
    return _rounded(figures)


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Those that are known, to four places."""
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in figures.items()
        if value is not None
    }


def _landmarks(
    case: VariedCase, transform: Transform, measured: Measured, found: metrics.LandmarkSummary
) -> Any:
    true = case.true_moving(case.landmarks_ras)
    before = np.linalg.norm(apply_affine(transform.affine, case.landmarks_ras) - true, axis=1)
    return dataclasses.replace(
        measured.metrics,
        tre_mm=found.mean_mm,
        tre_median_mm=found.median_mm,
        tre_p95_mm=found.p95_mm,
        tre_aligned_mm=float(before.mean()),
    )


def _said(judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict.value,
        "evidence": judgement.evidence,
        "reasons": judgement.reasons,
    }
