"""Findings that name what is wrong with the files of a pair, not with their registration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lungreg.metrics.judged import Finding, Judged
from lungreg.records import Evidence, Verdict

_DENSER_HU = 10.0
_SMALLER = 0.95
_LIGHTEST, _HEAVIEST = 0.5, 1.8
"""A breath moves air and little blood: some 10 % of the mass. Good pairs of tests/varied, whose
densities are drawn more freely, lie from 0.79 (upper half in one scan) to 1.63 (consolidation in
one scan)."""

_FAR = 5.0
"""Errors of landmarks over estimated ones: a registration that is lost in one part has less."""


@dataclass(frozen=True, kw_only=True)
class _BoneLimits:
    """From where on bones have changed by more than a breath makes it seem."""

    length: float
    """Factor of length."""
    volume: float
    """Factor of volume."""
    arm_mm: float
    """About the distance of bones from their middle: what `T` misses there by more than this times
    the change of size could have made that change."""


_LARGER = _BoneLimits(length=1.2, volume=1.3, arm_mm=20.0)
"""Ribs that a breath lifts look longer, by some 5 %. Simulated motions carry bones with them: the
factors reach 1.19 and 1.30 in good pairs of tests/varied, 1.18 and 1.26 in 22 pairs of `simulate`
from a real CT, and what `T` misses is 21 mm times the change at least."""
_SMALLER_BONES = _BoneLimits(length=0.95, volume=0.9, arm_mm=45.0)
"""A breath in hardly makes bones look shorter: of 434 good pairs of tests/varied none is below 0.96
of its length and 0.94 of its volume, and those below 1 are slabs, of which two directions count."""
_SMALLER_BY_BREATH = _BoneLimits(length=0.9, volume=0.84, arm_mm=20.0)
"""Where a breath out may explain smaller lungs as well."""
_SMALLER_BREATHING_OUT = _BoneLimits(
    length=1 / _LARGER.length, volume=1 / _LARGER.volume, arm_mm=_LARGER.arm_mm
)
"""Where the breath is one out: as much as a breath in seems to lengthen them."""


def wrong_input(judged: Judged) -> list[Finding]:
    """Exchanged scans, mirrored or turned headers, wrong voxel sizes, doubtful lungs, landmarks."""
    checks = [_without_lungs, _doubtful, _mirrored, _other_landmarks]
    if _is_matched(judged):
        checks += [_turned, _exchanged, _wrong_sizes]
    found = [check(judged) for check in checks]
    return [finding for finding in found if finding is not None]


def _is_matched(judged: Judged) -> bool:
    """Whether `T` carries tissue to the same tissue; else it tells nothing of turns and volumes.

    In exchanged scans of tests/varied, and in those with wrong voxel sizes, half of the places find
    a partner, but for one of 63 pairs that is lost: its slices lie twice as far apart.
    """
    share = judged.metrics.etre_found_pct
    return share is None or share >= judged.thresholds.etre_found_fail_pct


def _is_lost(judged: Judged) -> bool:
    """Whether landmarks or places say that `T` errs as a failure does."""
    metrics, limits = judged.metrics, judged.thresholds
    errors = ((metrics.tre_mm, limits.tre_fail_mm), (metrics.etre_mm, limits.etre_fail_mm))
    return any(error_mm is not None and error_mm > limit for error_mm, limit in errors)


def _without_lungs(judged: Judged) -> Finding | None:
    """A failure, unless tissue goes together: then lungs are there, and were not found."""
    scan = judged.evidence.without_lungs
    if scan is None:
        return None
    reason = (
        f"no lungs were found in the {scan} scan: is it a chest CT, and are its voxel sizes right?"
    )
    return Finding(Verdict.WARN if _surely_matches(judged) else Verdict.FAIL, reason)


def _surely_matches(judged: Judged) -> bool:
    """Whether enough distinctive places find a partner, and these lie where `T` puts them."""
    limits, places_mm = judged.thresholds, judged.metrics.etre_mm
    share = judged.metrics.etre_found_pct or 0.0
    if places_mm is None or not judged.has_places:
        return False
    return share >= limits.etre_found_warn_pct and places_mm <= limits.etre_warn_mm


def _doubtful(judged: Judged) -> Finding | None:
    doubts = judged.evidence.doubts
    return None if doubts is None else Finding(Verdict.WARN, doubts)


def _exchanged(judged: Judged) -> Finding | None:
    """The moving scan holds less air than the fixed one.

    Where bones show that a header's voxel sizes are wrong, volumes are compared with theirs, unless
    the lungs have kept their mass: then they are smaller since air is missing.
    """
    evidence = judged.evidence
    by_header = _bones_beyond(judged, _SMALLER_BY_BREATH) and not _keeps_mass(evidence)
    header = evidence.bone_volume_ratio if by_header else 1.0
    if not _holds_less_air(judged, header or 1.0):
        return None
    reason = (
        "expiration and inspiration seem exchanged: the lungs of the moving scan are smaller, and "
        f"their density differs by {evidence.density_change_hu:+.0f} HU"
    )
    return Finding(Verdict.WARN, reason)


def _keeps_mass(evidence: Evidence) -> bool:
    """Whether the mass of the lungs changes less than it would with the volume of the bones."""
    mass, bones = evidence.mass_ratio, evidence.bone_volume_ratio
    if not mass or not bones or min(mass, bones) <= 0:
        return False
    return abs(math.log(mass)) < abs(math.log(mass / bones))


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


def _mirrored(judged: Judged) -> Finding | None:
    sides = judged.evidence.mirrored
    if sides is None:
        return None
    return Finding(Verdict.FAIL, f"{sides} seem exchanged in one of the scans: check its header")


def _turned(judged: Judged) -> Finding | None:
    turn = judged.evidence.turned
    if turn is None:
        return None
    reason = (
        f"one scan is turned by {turn} against the other: does its header say rightly how the "
        "patient lay, and in which order its axes are?"
    )
    return Finding(Verdict.WARN, reason)


def _other_landmarks(judged: Judged) -> Finding | None:
    """Landmarks lie far from their partners where the scans themselves agree well."""
    metrics, limits = judged.metrics, judged.thresholds
    landmarks_mm, places_mm = metrics.tre_mm, metrics.etre_mm
    if landmarks_mm is None or places_mm is None or not _surely_matches(judged):
        return None
    if landmarks_mm <= max(limits.tre_fail_mm, _FAR * places_mm):
        return None
    reason = (
        f"the landmarks contradict the scans: they end {landmarks_mm:.1f} mm apart, distinctive "
        f"places {places_mm:.1f} mm; are they of these scans, fixed before moving, in the right "
        "order of axes and counted from 0?"
    )
    return Finding(Verdict.WARN, reason)


def _wrong_sizes(judged: Judged) -> Finding | None:
    """One wrong distance may show in several measures; it is named once."""
    return _bones(judged) or _stretched(judged) or _heavier(judged)


def _bones(judged: Judged) -> Finding | None:
    """Bones keep their size in a breath; known in Hounsfield units alone."""
    evidence = judged.evidence
    smaller = _SMALLER_BREATHING_OUT if _breathes_out(judged) else _SMALLER_BONES
    if not _bones_beyond(judged, smaller):
        return None
    by_direction = f" ({evidence.bone_lengths})" if evidence.bone_lengths else ""
    reason = (
        f"the bones near the lungs are {evidence.bone_stretch:.2f} times as long in the direction "
        f"that changes most{by_direction} and {evidence.bone_volume_ratio:.2f} times as large in "
        "the moving scan, where no breath changes their size: are the voxel sizes in both headers "
        "right, and was the gantry tilted for one scan?"
    )
    return Finding(Verdict.WARN, reason)


def _breathes_out(judged: Judged) -> bool:
    """Whether the moving scan seems to be the breath out."""
    by_transform = judged.evidence.volume_ratio_jacobian
    smaller = by_transform is not None and by_transform < 1
    return (judged.thresholds.time_points and smaller) or _exchanged(judged) is not None


def _bones_beyond(judged: Judged, smaller: _BoneLimits) -> bool:
    """Whether bones changed by more than the limits, and by more than a misfit explains."""
    evidence = judged.evidence
    stretch, volume = evidence.bone_stretch, evidence.bone_volume_ratio
    if stretch is None or volume is None or evidence.doubts:
        return False
    limits = _LARGER if stretch > 1 else smaller
    length, size = abs(math.log(stretch)), abs(math.log(volume))
    if (evidence.bone_misfit_mm or 0) > limits.arm_mm * max(length, size / 2):
        return False
    return length > abs(math.log(limits.length)) or size > abs(math.log(limits.volume))


def _stretched(judged: Judged) -> Finding | None:
    stretch, limit = judged.evidence.stretch, judged.thresholds.stretch_warn
    if stretch is None or 1 / limit <= stretch <= limit:
        return None
    reason = (
        f"the lungs are lengthened {stretch:.2f} times as much along one direction as across it, "
        f"beyond {1 / limit:.2f} to {limit:.2f}: is the distance of the slices right in both scans?"
    )
    return Finding(Verdict.WARN, reason)


def _heavier(judged: Judged) -> Finding | None:
    """The mass of the lungs differs more than between any two breaths: voxels are not that large.

    It is known in Hounsfield units alone.
    """
    ratio = judged.evidence.mass_ratio
    if ratio is None or judged.evidence.doubts or _LIGHTEST <= ratio <= _HEAVIEST:
        return None
    reason = (
        f"the lungs are {ratio:.2f} times as heavy in the moving scan, beyond {_LIGHTEST} to "
        f"{_HEAVIEST}: are voxel sizes and Hounsfield units right, or does one scan show fluid or "
        "dense tissue?"
    )
    return Finding(Verdict.WARN, reason)
