"""The values that rules of the verdict judge, where they are not a measure as it stands."""

from __future__ import annotations

from lungreg.metrics.judged import Judged

_WITHOUT_PARTNER = 1.35
"""Errors of places without a partner over those with one: with it the estimate is, in the middle,
0.99 of the true error of registered varied pairs, and 0.91 without (`nox -s calibrate`)."""
_FEWEST_OF_PERCENTILE = 15
"""Partners in a part of the lungs: a percentile of fewer says little."""
_LEAST_FOUND_PCT = 1.0
_FEWER_BELOW = 0.75
"""Of the share of places with a partner in the upper lungs. Pairs with a scan taken while the
patient breathed have 0.2 to 0.74 of it in the lower ones. So has one in eight good pairs of
tests/varied, with a sharp edge."""


def estimated(judged: Judged) -> float | None:
    """The mean estimated error, where the case rests on it, mm."""
    return judged.metrics.etre_mm if judged.rests_on == "estimated" else None


def estimated_of_all(judged: Judged) -> float | None:
    """With the places that find no partner, as if they erred `_WITHOUT_PARTNER` times as much.

    None where the error of the others is a failure already.
    """
    found_mm, share_pct = estimated(judged), judged.metrics.etre_found_pct
    if found_mm is None or found_mm > judged.thresholds.etre_fail_mm:
        return None
    without = 0.0 if share_pct is None else 1 - share_pct / 100
    return found_mm * (1 + (_WITHOUT_PARTNER - 1) * without)


def found_share(judged: Judged) -> float | None:
    """Landmarks know the error: beside them only that the scans may be of two patients counts.

    They are not, where landmarks lie near.
    """
    share, limits = judged.metrics.etre_found_pct, judged.thresholds
    if judged.rests_on != "landmarks" or share is None:
        return share
    return None if errs_little(judged) or share >= limits.etre_found_fail_pct else share


def errs_little(judged: Judged) -> bool:
    """Whether the error is known, and within the limits of a pass."""
    metrics, limits = judged.metrics, judged.thresholds
    if judged.rests_on == "landmarks":
        return metrics.tre_mm is not None and metrics.tre_mm <= limits.tre_warn_mm
    of_all, share = estimated_of_all(judged), metrics.etre_found_pct
    found = share is None or share >= limits.etre_found_warn_pct
    return of_all is not None and of_all <= limits.etre_warn_mm and found


def overlap(judged: Judged) -> float | None:
    """Dice, where the error is not known to be small."""
    return None if errs_little(judged) else judged.metrics.dice_score


def overlap_beside_small_error(judged: Judged) -> float | None:
    """Dice, where the error is known to be small."""
    return judged.metrics.dice_score if errs_little(judged) else None


def worst_region(judged: Judged) -> float | None:
    """The largest 95th percentile of the estimated errors of a part of the lungs, mm."""
    regions = judged.evidence.etre_regions
    known = (it.p95_mm for it in regions if it.partners >= _FEWEST_OF_PERCENTILE)
    return max(known, default=None)


def worst_mean(judged: Judged) -> float | None:
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


def soft_edge(judged: Judged) -> float | None:
    """The width of the lower edge of the lungs, where their lower parts are poor in partners, mm.

    A scan taken while the patient breathed is blurred there. Dense lung above the diaphragm has a
    soft edge too, but tissue that is found again.
    """
    if judged.rests_on == "landmarks":
        return None
    lower, upper = (_found_in(judged, level) for level in ("lower", "upper"))
    as_many = upper > 0 and lower >= _FEWER_BELOW * upper
    return None if as_many else judged.evidence.lower_edge_mm


def _found_in(judged: Judged, level: str) -> float:
    """Share of the places in the lower or upper parts of both lungs with a partner, %; 0 if few."""
    parts = [it for it in judged.evidence.etre_regions if it.region.endswith(level)]
    found = sum(it.found_pct * it.places for it in parts)
    return found / max(1, sum(it.places for it in parts))


def residual(judged: Judged) -> float | None:
    """The residual difference, where no error is known."""
    return None if judged.knows_error else judged.evidence.residual


def segmented(judged: Judged) -> float | None:
    """The overlap of segmented lungs, where masks were not given."""
    given = judged.metrics.dice_score is not None
    return None if given else judged.evidence.dice_segmented


def volume_change(judged: Judged) -> float | None:
    """By what factor `T` enlarges the lungs; None where it mirrors them, which is said."""
    ratio = judged.evidence.volume_ratio_jacobian
    return None if ratio is None or ratio < 0 else ratio
