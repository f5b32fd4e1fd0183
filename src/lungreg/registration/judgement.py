"""The verdict of a registered pair; where it fails, a look for what may be wrong with the scans."""

from __future__ import annotations

from lungreg.config import Quality
from lungreg.metrics.verdict import Judgement, judge
from lungreg.registration.evaluation import Measured
from lungreg.registration.pair import Pair


def judge_pair(pair: Pair, measured: Measured, thresholds: Quality) -> tuple[Measured, Judgement]:
    """Judge a pair.

    Args:
        pair: The case in memory.
        measured: From `measure`.
        thresholds: Of the verdict.

    Returns:
        What was measured, with what was found on the way, and the judgement.
    """
    return measured, judge(measured.metrics, thresholds, measured.evidence)
