"""The verdict of a registered pair; where it fails, a look for what may be wrong with the scans."""

from __future__ import annotations

from dataclasses import replace

from lungreg.config import Quality
from lungreg.metrics.verdict import Judgement, judge
from lungreg.records import Verdict
from lungreg.registration.alignment.mirroring import NOT_MIRRORED, mirrored_agreement
from lungreg.registration.evaluation import Measured
from lungreg.registration.pair import Pair

_CLEARLY_BETTER, _CONVINCING = 0.05, 0.8
"""Of the agreement with a mirrored scan: at least 0.89 where one is mirrored, in tests/varied, and
up to 0.795 in scans of different parts of the lungs, as of one lung each."""
_SURELY_MATCHED_PCT = 50.0
"""Share of distinctive places with a partner that no mirrored pair comes near: at most 34 % in
those of tests/varied, of upper lungs that were registered onto their mirror image."""
_SIDES = {
    "left-right": "left and right",
    "front-back": "front and back",
    "feet-head": "head and feet",
    "transposed": "axes",
}


def judge_pair(
    pair: Pair, measured: Measured, thresholds: Quality, *, hu_window: tuple[float, float]
) -> tuple[Measured, Judgement]:
    """Judge a pair; where tissue does not match, see whether one of the scans seems mirrored.

    That is where not most of the distinctive places find a partner, where none are known and the
    pair fails, or where `T` itself mirrors.

    Args:
        pair: The case in memory.
        measured: From `measure`.
        thresholds: Of the verdict.
        hu_window: HU that become 0 and 1 where images are compared.

    Returns:
        What was measured, with what was found on the way, and the judgement.
    """
    first = judge(measured.metrics, thresholds, measured.evidence)
    if measured.evidence.without_lungs is not None or not _is_doubtful(measured, first):
        return measured, first
    mirrored = mirrored_sides(pair, hu_window)
    if mirrored is None:
        return measured, first
    evidence = replace(measured.evidence, mirrored=mirrored)
    again = judge(measured.metrics, thresholds, evidence)
    return replace(measured, evidence=evidence), again


def _is_doubtful(measured: Measured, judgement: Judgement) -> bool:
    share = measured.metrics.etre_found_pct
    if (measured.evidence.volume_ratio_jacobian or 0) < 0:
        return True
    if share is None:
        return judgement.verdict is Verdict.FAIL
    return share < _SURELY_MATCHED_PCT


def mirrored_sides(pair: Pair, hu_window: tuple[float, float]) -> str | None:
    """The sides that seem exchanged between the scans, such as "left and right"; None for none.

    Args:
        pair: The case in memory.
        hu_window: HU that become 0 and 1 where images are compared.
    """
    scores = mirrored_agreement(pair, hu_window)
    as_it_is = scores.pop(NOT_MIRRORED)
    best = max(scores, key=lambda name: scores[name], default=NOT_MIRRORED)
    clearly = scores.get(best, as_it_is) > max(as_it_is + _CLEARLY_BETTER, _CONVINCING)
    return _SIDES[best] if clearly else None
