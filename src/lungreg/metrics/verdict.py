"""Verdicts (pass, warn, fail) of a registered case against thresholds, with reasons in words.

The rules stand in `metrics.rules`, `metrics.wrong_input` and here; the worst of their findings
decides. `metrics.rule_list` lists all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lungreg.config import Quality
from lungreg.metrics.estimated_error import KNOWN_FROM_SHARE
from lungreg.metrics.judged import Check, Finding, Judged
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
    measured += [finding for it in CHECKS if (finding := it.find(judged)) is not None]
    found = [*_worst_first(wrong_input(judged)), *_worst_first(measured)]
    return Judgement(
        verdict=max((finding.verdict for finding in found), key=_ORDER.index, default=Verdict.PASS),
        evidence=judged.rests_on,
        reasons=tuple(finding.reason for finding in found),
    )


def _worst_first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -_ORDER.index(finding.verdict))


def _unmatched(judged: Judged) -> Finding | None:
    """Landmarks know what partners do not, if they lie in that part; where they lie is not told."""
    parts = judged.evidence.unmatched
    if parts is None:
        return None
    reason = (
        f"next to no distinctive place finds a partner in a part of the lungs ({parts}): the error "
        "there is not known, or the tissue is not the same"
    )
    return Finding(Verdict.WARN, reason)


def _constant(judged: Judged) -> Finding | None:
    if judged.metrics.ncc is not None:
        return None
    return Finding(Verdict.FAIL, "an image is constant inside the lungs")


def _without_evidence(judged: Judged) -> Finding | None:
    if judged.knows_error or _fails_by_partners(judged):
        return None
    places, landmarks = judged.evidence.etre_places, judged.evidence.landmarks
    few = f"only {places} distinctive places" if places else "no distinctive place"
    share_pct = judged.metrics.etre_found_pct
    if judged.has_places and share_pct is not None:
        few = f"only {share_pct:.0f} % of the distinctive places"
    beside = f", and {landmarks} landmarks are few too" if landmarks else ""
    reason = f"{few} found a partner, too few to know the error inside the lungs{beside}"
    return Finding(Verdict.WARN, reason)


def _fails_by_partners(judged: Judged) -> bool:
    """Whether the rule of the share of partners says already why no error is known."""
    share = judged.metrics.etre_found_pct
    return judged.has_places and share is not None and share < judged.thresholds.etre_found_fail_pct


def _error_not_better(judged: Judged) -> Finding | None:
    """The error that the case rests on is as before, and that was no pass."""
    kept = 1 - judged.thresholds.gain_warn_pct / 100
    for what, after, before, limit in judged.errors:
        if before > limit and after > kept * before:
            reason = (
                f"the {what} is not better than before registration: {before:.2f} to {after:.2f} mm"
            )
            return Finding(Verdict.WARN, reason)
    return None


def _dice_lower(judged: Judged) -> Finding | None:
    """The overlap is lower than before, and the error before was no pass."""
    after, before = judged.metrics.dice_score, judged.metrics.dice_aligned
    if after is None or before is None or after >= before:
        return None
    passed = [error <= limit for *_, error, limit in judged.errors]
    if passed and all(passed):
        return None
    reason = f"the Dice of the lungs is lower than before registration: {before:.4f} to {after:.4f}"
    return Finding(Verdict.WARN, reason)


CHECKS = (
    Check(
        verdict=Verdict.WARN,
        says="a part of the lungs where next to no distinctive place finds a partner",
        find=_unmatched,
    ),
    Check(verdict=Verdict.FAIL, says="an image that is constant inside the lungs", find=_constant),
    Check(
        verdict=Verdict.WARN,
        says=(
            "fewer than {landmarks_enough} landmarks, and than {etre_places_warn} distinctive "
            f"places or {100 * KNOWN_FROM_SHARE:g} % of them with a partner: the error inside the "
            "lungs is not known"
        ),
        find=_without_evidence,
    ),
    Check(
        verdict=Verdict.WARN,
        says=(
            "an error that registration made less than {gain_warn_pct:g} % smaller, unless it was "
            "within the limits of a pass before"
        ),
        find=_error_not_better,
    ),
    Check(
        verdict=Verdict.WARN,
        says="a Dice lower than before registration, unless the error was within those limits",
        find=_dice_lower,
    ),
)
"""Beside the table of rules: what is not known, and what did not get better."""
