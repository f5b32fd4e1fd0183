"""All rules of the verdict as sentences with their thresholds, for pages and documentation."""

from __future__ import annotations

from collections.abc import Iterator

from lungreg.config import Quality
from lungreg.metrics import verdict, wrong_input
from lungreg.metrics.rules import RULES, Rule


def describe_rules(thresholds: Quality) -> list[str]:
    """Such as "fail: mean landmark error above 4 mm"; wrong input first, as reasons have it."""
    limits = thresholds.model_dump()
    of_input, beside = (
        [f"{check.verdict.value}: {check.says.format(**limits)}" for check in checks]
        for checks in (wrong_input.CHECKS, verdict.CHECKS)
    )
    return [*of_input, *(line for rule in RULES for line in _lines(rule, thresholds)), *beside]


def _lines(rule: Rule, thresholds: Quality) -> Iterator[str]:
    side = "below" if rule.higher_is_better else "above"
    for level, name in (("fail", rule.fail), ("warn", rule.warn)):
        if name is not None:
            limit = f"{getattr(thresholds, name):g} {rule.unit}".strip()
            yield f"{level}: {rule.what} {side} {limit}"
