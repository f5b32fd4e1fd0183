"""Whether expiration and inspiration are exchanged: which scan of a pair holds more air."""

from __future__ import annotations

from lungreg.metrics.bone_limits import SMALLER_BY_BREATH, bones_beyond, keeps_mass
from lungreg.metrics.judged import Check, Finding, Judged
from lungreg.records import Verdict

_DENSER_HU = 10.0
_SMALLER = 0.95


def exchanged(judged: Judged) -> Finding | None:
    """The moving scan holds less air than the fixed one.

    Where bones show that a header's voxel sizes are wrong, volumes are compared with theirs, unless
    the lungs have kept their mass: then they are smaller since air is missing.
    """
    evidence = judged.evidence
    by_header = bones_beyond(judged, SMALLER_BY_BREATH) and not keeps_mass(evidence)
    header = evidence.bone_volume_ratio if by_header else 1.0
    if not _holds_less_air(judged, header or 1.0):
        return None
    reason = (
        "expiration and inspiration seem exchanged: the lungs of the moving scan are smaller, and "
        f"their density differs by {evidence.density_change_hu:+.0f} HU"
    )
    return Finding(Verdict.WARN, reason)


def _holds_less_air(judged: Judged, size: float) -> bool:
    """Whether the moving lungs hold less air than the fixed ones times `size`.

    `T` shrinks the lungs and they are denser where both overlap; scanners differ by some HU, so
    they may be a little thinner where the lungs found in both scans say the same. Those alone say
    nothing: a scan that is cut off, fluid and dense lobes hide lung from a mask. A `T` that errs
    much says nothing of volumes, nor one of a small part of the lungs.
    """
    evidence = judged.evidence
    denser_hu, least = evidence.density_change_hu, _SMALLER * size
    by_transform, by_lungs = evidence.volume_ratio_jacobian, evidence.volume_ratio_lungs
    if judged.thresholds.time_points or denser_hu is None or by_transform is None:
        return False
    outside_pct = evidence.lungs_outside_pct or 0
    if _is_lost(judged) or outside_pct > judged.thresholds.outside_fov_warn_pct:
        return False
    both = by_lungs is not None and by_lungs < least
    return by_transform < least and denser_hu > (-_DENSER_HU if both else _DENSER_HU)


def breathes_out(judged: Judged) -> bool:
    """Whether the moving scan seems to be the breath out."""
    by_transform = judged.evidence.volume_ratio_jacobian
    smaller = by_transform is not None and by_transform < 1
    return (judged.thresholds.time_points and smaller) or exchanged(judged) is not None


def _is_lost(judged: Judged) -> bool:
    """Whether landmarks or places say that `T` errs as a failure does."""
    metrics, limits = judged.metrics, judged.thresholds
    errors = ((metrics.tre_mm, limits.tre_fail_mm), (metrics.etre_mm, limits.etre_fail_mm))
    return any(error_mm is not None and error_mm > limit for error_mm, limit in errors)


EXCHANGED = Check(
    verdict=Verdict.WARN,
    says=(
        f"lungs of the moving scan less than {_SMALLER:g} times as large as the fixed ones and "
        "denser: expiration and inspiration seem exchanged (not with time_points)"
    ),
    find=exchanged,
)
