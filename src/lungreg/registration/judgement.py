"""The verdict of a registered pair; where it fails, a look for what may be wrong with the scans."""

from __future__ import annotations

from dataclasses import replace

from lungreg.config import Quality
from lungreg.metrics.verdict import Judgement, judge
from lungreg.records import Verdict
from lungreg.registration.alignment.mirroring import NOT_MIRRORED, mirrored_agreement
from lungreg.registration.evaluation import Measured
from lungreg.registration.pair import Pair

_CLEARLY_BETTER = 0.05
_SIDES = {
    "left-right": "left and right",
    "front-back": "front and back",
    "feet-head": "head and feet",
}


def judge_pair(
    pair: Pair, measured: Measured, thresholds: Quality, *, hu_window: tuple[float, float]
) -> tuple[Measured, Judgement]:
    """Judge a pair; where it fails, also see whether the scans agree better when one is mirrored.

    Args:
        pair: The case in memory.
        measured: From `measure`.
        thresholds: Of the verdict.
        hu_window: HU that become 0 and 1 where images are compared.

    Returns:
        What was measured, with what was found on the way, and the judgement.
    """
    first = judge(measured.metrics, thresholds, measured.evidence)
    if first.verdict is not Verdict.FAIL or measured.evidence.without_lungs is not None:
        return measured, first
    mirrored = mirrored_sides(pair, hu_window)
    if mirrored is None:
        return measured, first
    evidence = replace(measured.evidence, mirrored=mirrored)
    again = judge(measured.metrics, thresholds, evidence)
    return replace(measured, evidence=evidence), again


def mirrored_sides(pair: Pair, hu_window: tuple[float, float]) -> str | None:
    """The sides that seem exchanged between the scans, such as "left and right"; None for none.

    Args:
        pair: The case in memory.
        hu_window: HU that become 0 and 1 where images are compared.
    """
    scores = mirrored_agreement(pair, hu_window)
    as_it_is = scores.pop(NOT_MIRRORED)
    best = max(scores, key=lambda name: scores[name], default=NOT_MIRRORED)
    clearly = scores.get(best, as_it_is) > as_it_is + _CLEARLY_BETTER
    return _SIDES[best] if clearly else None
