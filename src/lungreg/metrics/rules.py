"""The table of rules that a verdict follows: which measure, against which thresholds.

The order is that of their weight: true landmarks first, then estimated ones, overlap, folds,
residual difference, plausibility. Pages and documentation list the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lungreg.config import Quality
from lungreg.metrics.judged import Finding, Judged
from lungreg.records import Verdict

_WITHOUT_PARTNER = 1.35
"""Errors of places without a partner over those with one: with it the estimate is, in the middle,
0.99 of the true error of registered varied pairs, and 0.91 without (`nox -s calibrate`)."""


_FEWEST_OF_PERCENTILE = 15
"""Partners in a part of the lungs: a percentile of fewer says little."""
_LEAST_FOUND_PCT = 1.0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One measure and its thresholds."""

    measure: str
    """Name of the measure in `metrics.measures`."""
    what: str
    """The measure in words, as reasons name it."""
    value: Callable[[Judged], float | None]
    """Reads the measure; None where the rule does not apply."""
    higher_is_better: bool = False
    warn: str | None = None
    """Name of the threshold in `quality` beyond which the verdict is warn."""
    fail: str | None = None
    """Name of the threshold in `quality` beyond which the verdict is fail."""
    unit: str = ""
    note: str = ""
    """What a failure may mean, for the reason."""
    question: str = ""
    """What a warning asks, for the reason."""


def check(rule: Rule, judged: Judged) -> Iterator[Finding]:
    """The finding of one rule: at most one, its worst."""
    value = rule.value(judged)
    if value is None:
        return
    for verdict, name in ((Verdict.FAIL, rule.fail), (Verdict.WARN, rule.warn)):
        if name is None:
            continue
        limit = float(getattr(judged.thresholds, name))
        if value < limit if rule.higher_is_better else not value <= limit:
            yield Finding(verdict, _sentence(rule, value, limit, verdict))
            return


def describe_rules(thresholds: Quality) -> list[str]:
    """The rules with their thresholds as sentences, for pages and documentation."""
    found = []
    for rule in RULES:
        side = "below" if rule.higher_is_better else "above"
        for level, name in (("fail", rule.fail), ("warn", rule.warn)):
            if name is not None:
                limit = f"{getattr(thresholds, name):g} {rule.unit}".strip()
                found.append(f"{level}: {rule.what} {side} {limit}")
    return found


def thresholds_of(measure: str) -> Iterator[tuple[Verdict, str]]:
    """The thresholds that a measure is judged by: the verdict beyond it, and its key in `quality`.

    Args:
        measure: Its name in `metrics.measures`.
    """
    for rule in RULES:
        if rule.measure == measure:
            limits = ((Verdict.WARN, rule.warn), (Verdict.FAIL, rule.fail))
            yield from ((verdict, key) for verdict, key in limits if key is not None)
    if measure in _BESIDE_RULES:
        yield Verdict.WARN, _BESIDE_RULES[measure]


def _sentence(rule: Rule, value: float, limit: float, verdict: Verdict) -> str:
    """The reason, with as many decimals (two to five) as show the value beyond the limit."""
    unit = f" {rule.unit}" if rule.unit else ""
    side = "below" if rule.higher_is_better else "above"
    for decimals in range(2, 6):
        shown = f"{value:.{decimals}f}"
        if float(shown) != limit:
            break
    said = rule.note if verdict is Verdict.FAIL else rule.question
    note = f": {said}" if said else ""
    return f"{rule.what} {shown}{unit} is {side} {limit:g}{unit}{note}"


def _estimated(judged: Judged) -> float | None:
    return judged.metrics.etre_mm if judged.rests_on == "estimated" else None


def _estimated_of_all(judged: Judged) -> float | None:
    """With the places that find no partner, as if they erred `_WITHOUT_PARTNER` times as much.

    None where the error of the others is a failure already.
    """
    found_mm, share_pct = _estimated(judged), judged.metrics.etre_found_pct
    if found_mm is None or found_mm > judged.thresholds.etre_fail_mm:
        return None
    without = 0.0 if share_pct is None else 1 - share_pct / 100
    return found_mm * (1 + (_WITHOUT_PARTNER - 1) * without)


def _found_share(judged: Judged) -> float | None:
    """Landmarks know the error: beside them only that the scans may be of two patients counts."""
    share = judged.metrics.etre_found_pct
    known = judged.rests_on == "landmarks"
    one_patient = share is not None and share >= judged.thresholds.etre_found_fail_pct
    return None if known and one_patient else share


def _worst_region(judged: Judged) -> float | None:
    regions = judged.evidence.etre_regions
    known = (it.p95_mm for it in regions if it.partners >= _FEWEST_OF_PERCENTILE)
    return max(known, default=None)


def _worst_mean(judged: Judged) -> float | None:
    """Of the parts of the lungs: what each errs more than the whole, the more the fewer partners.

    Places find a partner where the error is small. Where far fewer do than in the whole lungs, and
    these err more, they tell little of the rest.
    """
    mean_mm, found_pct = judged.metrics.etre_mm, judged.metrics.etre_found_pct
    if mean_mm is None or found_pct is None:
        return None
    means = (
        mean_mm
        + (region.mean_mm - mean_mm) * max(1.0, found_pct / max(region.found_pct, _LEAST_FOUND_PCT))
        for region in judged.evidence.etre_regions
    )
    return max(means, default=None)


def _knows_error(judged: Judged) -> bool:
    return judged.rests_on in ("landmarks", "estimated")


def _residual(judged: Judged) -> float | None:
    return None if _knows_error(judged) else judged.evidence.residual


def _segmented(judged: Judged) -> float | None:
    given = judged.metrics.dice_score is not None
    return None if given else judged.evidence.dice_segmented


RULES: tuple[Rule, ...] = (
    Rule(
        measure="tre_mm",
        what="mean landmark error",
        value=lambda judged: judged.metrics.tre_mm,
        warn="tre_warn_mm",
        fail="tre_fail_mm",
        unit="mm",
    ),
    Rule(
        measure="tre_p95_mm",
        what="95th percentile of the landmark errors",
        value=lambda judged: judged.metrics.tre_p95_mm,
        warn="tre_p95_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_mm",
        what="mean estimated landmark error",
        value=_estimated,
        fail="etre_fail_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_mm",
        what="mean estimated landmark error of all places",
        value=_estimated_of_all,
        warn="etre_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_found_pct",
        what="share of distinctive places that find a partner",
        value=_found_share,
        higher_is_better=True,
        warn="etre_found_warn_pct",
        fail="etre_found_fail_pct",
        unit="%",
        note="these may not be scans of the same patient",
        question="the true error may be twice the estimated one; is it the same patient?",
    ),
    Rule(
        measure="etre_regions",
        what="95th percentile of the estimated errors in the worst part of the lungs",
        value=_worst_region,
        warn="region_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_regions",
        what="mean estimated error in the worst part of the lungs, by how few places it rests on,",
        value=_worst_mean,
        warn="region_mean_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="dice_score",
        what="Dice",
        value=lambda judged: judged.metrics.dice_score,
        higher_is_better=True,
        warn="dice_warn",
        fail="dice_fail",
    ),
    Rule(
        measure="dice_segmented",
        what="Dice of lungs segmented by threshold",
        value=_segmented,
        higher_is_better=True,
        warn="dice_segmented_warn",
    ),
    Rule(
        measure="mask_cover_pct",
        what="share of the lungs shown that the masks hold",
        value=lambda judged: judged.evidence.mask_cover_pct,
        higher_is_better=True,
        warn="mask_cover_warn_pct",
        unit="%",
        question="nothing is known of the rest",
    ),
    Rule(
        measure="fold_pct",
        what="share of folded voxels in the lungs",
        value=lambda judged: judged.metrics.fold_pct,
        warn="fold_warn_pct",
        fail="fold_fail_pct",
        unit="%",
    ),
    Rule(
        measure="residual",
        what="residual image difference inside the lungs",
        value=_residual,
        warn="residual_warn",
        fail="residual_fail",
    ),
    Rule(
        measure="ncc",
        what="correlation inside the lungs",
        value=lambda judged: None if _knows_error(judged) else judged.metrics.ncc,
        higher_is_better=True,
        fail="ncc_fail",
    ),
    Rule(
        measure="ncc",
        what="correlation inside the lungs, where errors are known,",
        value=lambda judged: judged.metrics.ncc if _knows_error(judged) else None,
        higher_is_better=True,
        warn="ncc_warn",
        question="is there fluid or dense tissue in one scan?",
    ),
    Rule(
        measure="correlation_in_place",
        what="correlation of fine structure at one place of the scanner, where tissue has moved,",
        value=lambda judged: judged.evidence.correlation_in_place,
        warn="in_place_warn",
        question="rings, streaks or a part of the other scan, which registration follows?",
    ),
    Rule(
        measure="lungs_outside_pct",
        what="share of the lungs outside the moving scan",
        value=lambda judged: judged.evidence.lungs_outside_pct,
        warn="outside_fov_warn_pct",
        unit="%",
    ),
    Rule(
        measure="inverse_mean_mm",
        what="mean inverse consistency inside the lungs",
        value=lambda judged: judged.evidence.inverse_mean_mm,
        warn="inverse_warn_mm",
        fail="inverse_fail_mm",
        unit="mm",
    ),
    Rule(
        measure="volume_ratio_jacobian",
        what="volume change of the lungs",
        value=lambda judged: judged.evidence.volume_ratio_jacobian,
        higher_is_better=True,
        warn="volume_ratio_low",
    ),
    Rule(
        measure="volume_ratio_jacobian",
        what="volume change of the lungs",
        value=lambda judged: judged.evidence.volume_ratio_jacobian,
        warn="volume_ratio_high",
    ),
)
"""All rules, strongest evidence first."""

_BESIDE_RULES = {"etre_places": "etre_places_warn", "stretch": "stretch_warn"}
"""Thresholds that are no side of a rule: `Judged.rests_on` and `wrong_input` judge by them."""
