"""The table of rules that a verdict follows: which measure, against which thresholds.

The order is that of their weight: true landmarks first, then estimated ones, overlap, folds,
residual difference, plausibility. `rule_list` lists them for pages and documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lungreg.metrics import rule_values
from lungreg.metrics.judged import Finding, Judged
from lungreg.records import Verdict


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
        measure="tre_max_mm",
        what="largest landmark error",
        value=lambda judged: judged.evidence.tre_max_mm,
        warn="tre_max_warn_mm",
        unit="mm",
        question="is that place far off, or was that landmark marked wrongly?",
    ),
    Rule(
        measure="etre_mm",
        what="mean estimated landmark error",
        value=rule_values.estimated,
        fail="etre_fail_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_mm",
        what="mean estimated landmark error of all places",
        value=rule_values.estimated_of_all,
        warn="etre_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_found_pct",
        what="share of distinctive places that find a partner",
        value=rule_values.found_share,
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
        value=rule_values.worst_region,
        warn="region_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="etre_regions",
        what="mean estimated error in the worst part of the lungs, by how few places it rests on,",
        value=rule_values.worst_mean,
        warn="region_mean_warn_mm",
        unit="mm",
    ),
    Rule(
        measure="dice_score",
        what="Dice",
        value=rule_values.overlap,
        higher_is_better=True,
        warn="dice_warn",
        fail="dice_fail",
    ),
    Rule(
        measure="dice_score",
        what="Dice, where the error is within the limits of a pass,",
        value=rule_values.overlap_beside_small_error,
        higher_is_better=True,
        warn="dice_warn",
        question="are these the masks of these scans, and do they follow the lungs?",
    ),
    Rule(
        measure="dice_segmented",
        what="Dice of lungs segmented by threshold",
        value=rule_values.segmented,
        higher_is_better=True,
        warn="dice_segmented_warn",
    ),
    Rule(
        measure="mask_cover_pct",
        what="share of the lungs shown that the masks hold in the worst part",
        value=lambda judged: judged.evidence.mask_cover_pct,
        higher_is_better=True,
        warn="mask_cover_warn_pct",
        unit="%",
        question="are these the masks of these scans? Nothing is known of the rest",
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
        value=rule_values.residual,
        warn="residual_warn",
        fail="residual_fail",
    ),
    Rule(
        measure="ncc",
        what="correlation inside the lungs",
        value=lambda judged: None if judged.knows_error else judged.metrics.ncc,
        higher_is_better=True,
        fail="ncc_fail",
    ),
    Rule(
        measure="ncc",
        what="correlation inside the lungs, where errors are known,",
        value=lambda judged: judged.metrics.ncc if judged.knows_error else None,
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
        measure="unlike_pct",
        what="share of the lungs where fine structure does not go together",
        value=lambda judged: judged.evidence.unlike_pct,
        warn="unlike_warn_pct",
        unit="%",
        question="tissue may lie far off there, where no place finds a partner",
    ),
    Rule(
        measure="lower_edge_mm",
        what="width of the lower edge of the lungs, where few lower places find a partner,",
        value=rule_values.soft_edge,
        warn="soft_edge_warn_mm",
        unit="mm",
        question="did the patient breathe while a scan was taken, or is lung dense there?",
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
        value=rule_values.volume_change,
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
