"""Whether the voxels of a scan are as large as its header says: bones, shape and mass of lungs.

One wrong distance may show in several of them; it is named once, by the one that tells most.
"""

from __future__ import annotations

import math

from lungreg.metrics.bone_limits import (
    LARGER,
    SMALLER_BONES,
    SMALLER_BREATHING_OUT,
    bones_beyond,
    keeps_mass,
)
from lungreg.metrics.exchange import breathes_out
from lungreg.metrics.judged import Check, Finding, Judged
from lungreg.records import Verdict

_LIGHTEST, _HEAVIEST = 0.5, 1.8
"""A breath moves air and little blood: some 10 % of the mass. Good pairs of tests/varied, whose
densities are drawn more freely, lie from 0.79 (upper half in one scan) to 1.63 (consolidation in
one scan)."""
_GROWS = 0.5
"""Logarithm of the factor of volume over that of length: about 1 in a deep breath, 0 by a tilt."""


def wrong_sizes(judged: Judged) -> Finding | None:
    """The first finding of `CHECKS`."""
    return next((found for check in CHECKS if (found := check.find(judged)) is not None), None)


def _bones_changed(judged: Judged) -> Finding | None:
    """Bones keep their size in a breath; known in Hounsfield units alone."""
    evidence = judged.evidence
    smaller = SMALLER_BREATHING_OUT if breathes_out(judged) else SMALLER_BONES
    if not bones_beyond(judged, smaller) or _as_in_a_deep_breath(judged):
        return None
    by_direction = f" ({evidence.bone_lengths})" if evidence.bone_lengths else ""
    reason = (
        f"the bones near the lungs are {evidence.bone_stretch:.2f} times as long in the direction "
        f"that changes most{by_direction} and {evidence.bone_volume_ratio:.2f} times as large in "
        "the moving scan, where no breath changes their size: are the voxel sizes in both headers "
        "right, and was the gantry tilted for one scan?"
    )
    return Finding(Verdict.WARN, reason)


def _as_in_a_deep_breath(judged: Judged) -> bool:
    """Whether bones only seem to change: a smooth `T` takes them along with the lungs beside them.

    Then they seem larger too, by up to a third, and the lungs keep their mass, as they do not where
    voxels are smaller than a header says. A tilted gantry leaves both as they are.
    """
    stretch, volume = judged.evidence.bone_stretch, judged.evidence.bone_volume_ratio
    if not stretch or not volume or not (stretch > 1 or breathes_out(judged)):
        return False
    longer, larger = math.log(stretch), math.log(volume)
    return longer * larger > _GROWS * longer**2 and keeps_mass(judged.evidence)


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
    if ratio is None or ratio <= 0 or judged.evidence.doubts or _LIGHTEST <= ratio <= _HEAVIEST:
        return None
    reason = (
        f"the lungs are {ratio:.2f} times as heavy in the moving scan, beyond {_LIGHTEST} to "
        f"{_HEAVIEST}: are voxel sizes and Hounsfield units right, or does one scan show fluid or "
        "dense tissue?"
    )
    return Finding(Verdict.WARN, reason)


CHECKS = (
    Check(
        verdict=Verdict.WARN,
        says=(
            "bones near the lungs beyond "
            f"{SMALLER_BONES.length:g} to {LARGER.length:g} times as long or "
            f"{SMALLER_BONES.volume:g} to {LARGER.volume:g} times as large in the moving scan, "
            "unless the lungs keep their mass as in a deep breath "
            f"(from {SMALLER_BREATHING_OUT.length:.2f} and {SMALLER_BREATHING_OUT.volume:.2f} "
            "where it is the breath out)"
        ),
        find=_bones_changed,
    ),
    Check(
        verdict=Verdict.WARN,
        says="lungs lengthened more than {stretch_warn:g} times as much along one direction",
        find=_stretched,
    ),
    Check(
        verdict=Verdict.WARN,
        says=f"lungs beyond {_LIGHTEST:g} to {_HEAVIEST:g} times as heavy in the moving scan",
        find=_heavier,
    ),
)
"""The most telling first."""
