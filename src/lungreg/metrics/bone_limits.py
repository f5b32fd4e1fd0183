"""By how much bones near the lungs may seem to change their size while a patient breathes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lungreg.metrics.judged import Judged
from lungreg.records import Evidence


@dataclass(frozen=True, kw_only=True)
class BoneLimits:
    """From where on bones have changed by more than a breath makes it seem."""

    length: float
    """Factor of length."""
    volume: float
    """Factor of volume."""
    arm_mm: float
    """About the distance of bones from their middle: what `T` misses there by more than this times
    the change of size could have made that change."""


LARGER = BoneLimits(length=1.2, volume=1.3, arm_mm=20.0)
"""A breath makes bones look longer: it lifts ribs, and a smooth `T` follows the lungs that slide
along them, also where the bones stay (`slides` of tests/varied: up to 1.17 and 1.33). The factors
reach 1.19 and 1.30 in good pairs of tests/varied, 1.18 and 1.26 in 22 pairs of `simulate`
from a real CT, and what `T` misses is 21 mm times the change at least."""
SMALLER_BONES = BoneLimits(length=0.95, volume=0.9, arm_mm=45.0)
"""A breath in hardly makes bones look shorter: of 434 good pairs of tests/varied none is below 0.96
of its length and 0.94 of its volume, and those below 1 are slabs, of which two directions count."""
SMALLER_BY_BREATH = BoneLimits(length=0.9, volume=0.84, arm_mm=20.0)
"""Where a breath out may explain smaller lungs as well."""
SMALLER_BREATHING_OUT = BoneLimits(
    length=1 / LARGER.length, volume=1 / LARGER.volume, arm_mm=LARGER.arm_mm
)
"""Where the breath is one out: as much as a breath in seems to lengthen them."""


def bones_beyond(judged: Judged, smaller: BoneLimits) -> bool:
    """Whether bones changed by more than the limits, and by more than a misfit explains."""
    evidence = judged.evidence
    stretch, volume = evidence.bone_stretch, evidence.bone_volume_ratio
    if stretch is None or volume is None or evidence.doubts:
        return False
    limits = LARGER if stretch > 1 else smaller
    length, size = abs(math.log(stretch)), abs(math.log(volume))
    if (evidence.bone_misfit_mm or 0) > limits.arm_mm * max(length, size / 2):
        return False
    return length > abs(math.log(limits.length)) or size > abs(math.log(limits.volume))


def keeps_mass(evidence: Evidence) -> bool:
    """Whether the mass of the lungs changes less than it would with the volume of the bones."""
    mass, bones = evidence.mass_ratio, evidence.bone_volume_ratio
    if not mass or not bones or min(mass, bones) <= 0:
        return False
    return abs(math.log(mass)) < abs(math.log(mass / bones))
