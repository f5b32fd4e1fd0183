"""Checks that name what is wrong with the files of a pair, not with their registration."""

from __future__ import annotations

from lungreg.metrics import voxel_sizes
from lungreg.metrics.exchange import EXCHANGED
from lungreg.metrics.judged import Check, Finding, Judged
from lungreg.records import Verdict

_FAR = 5.0
"""Errors of landmarks over estimated ones: a registration that is lost in one part has less."""


def wrong_input(judged: Judged) -> list[Finding]:
    """Exchanged scans, mirrored or turned headers, wrong voxel sizes, doubtful lungs, landmarks."""
    found = [check.find(judged) for check in _ALWAYS]
    if _is_matched(judged):
        found += [check.find(judged) for check in _WHERE_MATCHED]
        found.append(voxel_sizes.wrong_sizes(judged))
    return [finding for finding in found if finding is not None]


def _is_matched(judged: Judged) -> bool:
    """Whether `T` carries tissue to the same tissue; else it tells nothing of turns and volumes.

    In exchanged scans of tests/varied, and in those with wrong voxel sizes, half of the places find
    a partner, but for one of 63 pairs that is lost: its slices lie twice as far apart.
    """
    share = judged.metrics.etre_found_pct
    return share is None or share >= judged.thresholds.etre_found_fail_pct


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


def _unset(judged: Judged) -> Finding | None:
    scans = judged.evidence.unset_voxels
    if scans is None:
        return None
    reason = (
        f"the voxels are 1 x 1 x 1 mm ({scans}), as where a header gives no voxel size, and a scan "
        "of that size is no chest: no figure in mm holds until the voxel size is set in the header "
        "(pixdim in NIfTI)"
    )
    return Finding(Verdict.WARN, reason)


def _mirrored(judged: Judged) -> Finding | None:
    sides = judged.evidence.mirrored
    if sides is None:
        return None
    return Finding(Verdict.FAIL, f"{sides} seem exchanged in one of the scans: check its header")


def _reflected(judged: Judged) -> Finding | None:
    """`T` itself mirrors, as index boxes laid over each other may: all of it is folded then."""
    by_transform = judged.evidence.volume_ratio_jacobian
    if by_transform is None or by_transform >= 0 or judged.evidence.mirrored is not None:
        return None
    reason = (
        "the transform turns the lungs into their mirror image: one header's axes are wrong, or it "
        "does not say how the patient lay"
    )
    return Finding(Verdict.WARN, reason)


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


_ALWAYS = (
    Check(
        verdict=Verdict.FAIL,
        says="a scan without lungs (warn where its tissue goes together with that of the other)",
        find=_without_lungs,
    ),
    Check(
        verdict=Verdict.WARN,
        says=(
            "lungs in doubt: values that are no Hounsfield units, an intensity window that cuts "
            "them off, one lung alone"
        ),
        find=_doubtful,
    ),
    Check(
        verdict=Verdict.WARN,
        says=(
            "a voxel size that nobody set: 1 x 1 x 1 mm in a scan that is not as large as a chest "
            "by it"
        ),
        find=_unset,
    ),
    Check(
        verdict=Verdict.FAIL,
        says=(
            "sides or axes exchanged by a header (looked for where less than half of the places "
            "find a partner)"
        ),
        find=_mirrored,
    ),
    Check(
        verdict=Verdict.WARN,
        says="a transform that turns the lungs into their mirror image",
        find=_reflected,
    ),
    Check(
        verdict=Verdict.WARN,
        says="landmarks that contradict the scans: far apart where tissue goes together",
        find=_other_landmarks,
    ),
)
_WHERE_MATCHED = (
    Check(
        verdict=Verdict.WARN,
        says="lungs turned by more than 50 degrees against those of the other scan",
        find=_turned,
    ),
    EXCHANGED,
)
"""Where at least `quality.etre_found_fail_pct` of the places find a partner, as for voxel sizes."""
CHECKS = (*_ALWAYS, *_WHERE_MATCHED, *voxel_sizes.CHECKS)
