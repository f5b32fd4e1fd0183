"""Verdicts (pass, warn, fail) of a registered case against thresholds, with reasons in words.

The rules stand in `metrics.rules` and `metrics.wrong_input`; the worst of their findings decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.config import Quality
from lungreg.metrics.judged import Finding, Judged
from lungreg.metrics.rules import RULES, check
from lungreg.metrics.wrong_input import wrong_input
from lungreg.records import CaseMetrics, Evidence, Verdict

_ORDER = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)
_NO_EVIDENCE = Evidence()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict of a case and what it rests on."""

    verdict: Verdict
    evidence: str | None
    """The strongest measure of the error inside the lungs: "landmarks", "estimated" (errors at
    distinctive places), "masks" (their overlap alone); None for none of them."""
    reasons: tuple[str, ...]
    """Why the verdict is not "pass": what is wrong with the scans, then what follows from it, each
    with failures first."""


def judge(
    metrics: CaseMetrics, thresholds: Quality, evidence: Evidence = _NO_EVIDENCE
) -> Judgement:
    """The judgement of a registered case.

    A measure that the case does not have is not judged, with two exceptions: a case with neither
    enough landmarks nor enough distinctive places never passes, since the overlap of masks says
    nothing about the inside of the lungs; and the correlation inside the lungs is missing only
    where an image is constant there, which no good registration leaves.
    """
    judged = Judged(metrics=metrics, evidence=evidence, thresholds=thresholds)
    measured = [finding for rule in RULES for finding in check(rule, judged)]
    measured += [*_unmatched(judged), *_without_evidence(judged), *_not_better(judged)]
    found = [*_worst_first(wrong_input(judged)), *_worst_first(measured)]
    return Judgement(
        verdict=max((finding.verdict for finding in found), key=_ORDER.index, default=Verdict.PASS),
        evidence=judged.rests_on,
        reasons=tuple(finding.reason for finding in found),
    )


def _worst_first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -_ORDER.index(finding.verdict))


def _unmatched(judged: Judged) -> list[Finding]:
    """Landmarks know what partners do not, if they lie in that part; where they lie is not told."""
    parts = judged.evidence.unmatched
    if parts is None:
        return []
    reason = (
        f"next to no distinctive place finds a partner in a part of the lungs ({parts}): the error "
        "there is not known, or the tissue is not the same"
    )
    return [Finding(Verdict.WARN, reason)]


def _without_evidence(judged: Judged) -> list[Finding]:
    found = []
    if judged.metrics.ncc is None:
        found.append(Finding(Verdict.FAIL, "an image is constant inside the lungs"))
    if not judged.knows_error:
        places, landmarks = judged.evidence.etre_places, judged.evidence.landmarks
        few = f"only {places} distinctive places" if places else "no distinctive place"
        beside = f", and {landmarks} landmarks are few too" if landmarks else ""
        reason = f"{few} found a partner, too few to know the error inside the lungs{beside}"
        found.append(Finding(Verdict.WARN, reason))
    return found


def _not_better(judged: Judged) -> list[Finding]:
    """Findings where registration has not made a measure better and the state before is no pass."""
    metrics, limits = judged.metrics, judged.thresholds
    kept = 1 - limits.gain_warn_pct / 100
    found = []
    for what, after, before, limit in judged.errors:
        if before > limit and after > kept * before:
            found.append(
                f"the {what} is not better than before registration: {before:.2f} to {after:.2f} mm"
            )
    after_dice, before_dice = metrics.dice_score, metrics.dice_aligned
    worse = after_dice is not None and before_dice is not None and after_dice < before_dice
    passed = [before <= limit for *_, before, limit in judged.errors]
    if worse and not (passed and all(passed)):
        found.append(
            "the Dice of the lungs is lower than before registration: "
            f"{before_dice:.4f} to {after_dice:.4f}"
        )
    return [Finding(Verdict.WARN, reason) for reason in found]
