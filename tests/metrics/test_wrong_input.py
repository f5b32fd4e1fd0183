"""Wrong scans are named as such."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lungreg.config import Quality
from lungreg.metrics.judged import Judged
from lungreg.metrics.wrong_input import wrong_input
from lungreg.records import CaseMetrics, Evidence, Verdict

EXCHANGED = {"density_change_hu": 60.0, "volume_ratio_jacobian": 0.8, "volume_ratio_lungs": 0.8}


def bones(stretch: float, volume_ratio: float) -> dict[str, Any]:
    return {"bone_stretch": stretch, "bone_volume_ratio": volume_ratio}


def ratios(both: float) -> dict[str, Any]:
    return {"volume_ratio_jacobian": both, "volume_ratio_lungs": both}


def findings(
    quality: Quality | None = None, *, found_pct: float | None = None, **evidence: Any
) -> list[tuple[Verdict, str]]:
    """Of a case with this evidence, where so many distinctive places find a partner."""
    judged = Judged(
        metrics=CaseMetrics(etre_found_pct=found_pct),
        evidence=Evidence(**evidence),
        thresholds=quality or Quality(),
    )
    return [(found.verdict, found.reason) for found in wrong_input(judged)]


@pytest.mark.parametrize(
    ("evidence", "verdict", "words"),
    [
        (EXCHANGED, Verdict.WARN, "expiration and inspiration seem exchanged"),
        (
            {**EXCHANGED, "density_change_hu": 3.0},
            Verdict.WARN,
            "exchanged.*differs by \\+3 HU",
        ),
        ({"without_lungs": "moving"}, Verdict.FAIL, "no lungs were found in the moving scan"),
        ({"doubts": "in the fixed scan only one lung"}, Verdict.WARN, "in the fixed scan only one"),
        ({"unset_voxels": "fixed and moving"}, Verdict.WARN, "the voxels are 1 x 1 x 1 mm .fixed"),
        ({"mirrored": "left and right"}, Verdict.FAIL, "left and right seem exchanged"),
        ({"turned": "180 degrees about X"}, Verdict.WARN, "turned by 180 degrees about X against"),
        ({"mass_ratio": 2.2}, Verdict.WARN, "2.20 times as heavy .* voxel sizes"),
        ({"mass_ratio": 0.34}, Verdict.WARN, "0.34 times as heavy"),
        # Fluid hides lung from a mask, and is denser.
        (
            {**EXCHANGED, "volume_ratio_jacobian": 1.1, "mass_ratio": 2.3},
            Verdict.WARN,
            "2.30 times as heavy .* fluid",
        ),
        # A fixed scan that is cut off has small lungs too.
        ({**EXCHANGED, "volume_ratio_lungs": 1.4}, Verdict.WARN, "exchanged"),
        # One wrong slice distance is named once.
        ({"stretch": 2.0, "mass_ratio": 2.0}, Verdict.WARN, "distance of the slices"),
        ({**bones(2.0, 2.0), "stretch": 2.0, "mass_ratio": 2.0}, Verdict.WARN, "the bones"),
        (bones(1.22, 1.23), Verdict.WARN, "1.22 times as long .* 1.23 times as large"),
        ({**bones(1.22, 1.23), "bone_misfit_mm": 3.5}, Verdict.WARN, "1.22 times as long"),
        (bones(0.82, 0.85), Verdict.WARN, "voxel sizes in both headers .* gantry tilted"),
        # Two of tests/varied that a breath in made nearly right, and what `T` missed.
        ({**bones(0.881, 0.805), "bone_misfit_mm": 4.04}, Verdict.WARN, "0.88 times as long"),
        ({**bones(0.914, 0.971), "bone_misfit_mm": 2.78}, Verdict.WARN, "0.91 times as long"),
        (
            {**bones(1.25, 1.26), "bone_lengths": "left to right 1.01, head to foot 1.25"},
            Verdict.WARN,
            "changes most .left to right 1.01, head to foot 1.25. and 1.26 times as large",
        ),
        # The lungs are smaller since the voxels are; with the bones they are not.
        (
            {**bones(0.88, 0.92), **EXCHANGED, "density_change_hu": -9.8, **ratios(0.93)},
            Verdict.WARN,
            "^the bones",
        ),
        (bones(1.1, 1.33), Verdict.WARN, "1.33 times as large"),
        ({"volume_ratio_jacobian": -1.2, "mass_ratio": 0.0}, Verdict.WARN, "mirror image"),
        ({"stretch": 2.0}, Verdict.WARN, "2.00 times .* distance of the slices"),
        ({"stretch": 0.5}, Verdict.WARN, "0.50 times"),
    ],
)
def test_each_fault_has_its_name(evidence: dict[str, Any], verdict: Verdict, words: str) -> None:
    """One finding that says what to look at."""
    ((found, reason),) = findings(**evidence)
    assert found is verdict
    assert re.search(words, reason)


@pytest.mark.parametrize(("mass", "cause"), [(0.94, "exchanged"), (0.76, "the bones")])
def test_mass_tells_an_exchange_from_small_voxels(mass: float, cause: str) -> None:
    """A breath out shrinks what lies beside the lungs; small voxels take mass away, it does not.

    As exchanged scans of tests/varied (analytic, seed 4) show it.
    """
    small = {**bones(0.81, 0.74), **EXCHANGED, "density_change_hu": 53.0, **ratios(0.75)}
    ((_, reason),) = findings(**small, mass_ratio=mass)
    assert cause in reason


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"density_change_hu": -90.0, "volume_ratio_jacobian": 1.4, "stretch": 1.2},
        # A moving scan that is cut off is smaller, and still holds more air.
        {"density_change_hu": -60.0, "volume_ratio_jacobian": 1.2, "volume_ratio_lungs": 0.6},
        {"density_change_hu": 18.0, "volume_ratio_jacobian": 1.04, "volume_ratio_lungs": 0.62},
        # A small part of the lungs says nothing of the breath.
        {**EXCHANGED, "lungs_outside_pct": 60.0},
        # Another scanner may be off by some HU where the volumes are in order.
        {"density_change_hu": 30.0, "volume_ratio_jacobian": 1.1, "volume_ratio_lungs": 1.1},
        # Consolidation in one scan.
        {"mass_ratio": 1.4},
        {"mass_ratio": 0.65},
        # Ribs turn with the breath, and simulated motions carry bones with them.
        bones(1.12, 1.18),
        bones(1.18, 1.26),
        # A breath out makes them look smaller; it is expected, or was named.
        bones(0.96, 0.93),
        {**bones(0.914, 0.971), "bone_misfit_mm": 4.2},
        # Some were mistaken for their neighbours.
        {**bones(1.21, 1.31), "bone_misfit_mm": 4.9},
        # One scan with itself.
        {"density_change_hu": 0.0, "volume_ratio_jacobian": 1.0, "volume_ratio_lungs": 1.0},
    ],
)
def test_nothing_is_said_of_right_scans(evidence: dict[str, Any]) -> None:
    """A breath in, a cut scan, another scanner, one scan twice."""
    assert findings(**evidence) == []


def test_a_deep_breath_is_no_wrong_header() -> None:
    """It lengthens what lies beside the lungs, which keep their mass; smaller voxels take of it."""
    deep = {**bones(1.33, 1.38), "bone_misfit_mm": 4.0}
    assert findings(**deep, mass_ratio=1.1) == []
    ((_, reason),) = findings(**deep, mass_ratio=1.4)
    assert "1.33 times as long" in reason
    assert len(findings(**deep)) == 1
    out = {**EXCHANGED, **bones(1 / 1.33, 1 / 1.38), "bone_misfit_mm": 4.0}
    assert findings(Quality(time_points=True), **out, mass_ratio=1.0) == []
    tilted = {**bones(1.25, 1.02), "bone_misfit_mm": 2.0}
    assert len(findings(**tilted, mass_ratio=1.0)) == 1


def test_exchanged_scans_are_named_beside_a_wrong_header() -> None:
    """Lungs that are smaller than the bones say."""
    exchanged, odd = findings(**{**EXCHANGED, **ratios(0.6)}, **bones(0.8, 0.72), mass_ratio=0.75)
    assert "exchanged" in exchanged[1]
    assert "bones" in odd[1]


@pytest.mark.parametrize(
    ("evidence", "time_points"),
    [
        ({**EXCHANGED, **bones(0.914, 0.893), "bone_misfit_mm": 2.4}, False),
        ({**EXCHANGED, **bones(0.914, 0.893), "bone_misfit_mm": 2.4}, True),
        ({**EXCHANGED, **bones(0.85, 0.79), "bone_misfit_mm": 2.4}, True),
    ],
)
def test_a_breath_out_is_no_wrong_header(evidence: dict[str, Any], time_points: bool) -> None:
    """Exchanged scans are named alone, and scans in no order not at all."""
    found = findings(Quality(time_points=time_points), **evidence)
    assert len(found) == (not time_points)
    assert all("exchanged" in reason for _, reason in found)


@pytest.mark.parametrize(
    "evidence",
    [{**EXCHANGED, "mass_ratio": 1.2}, bones(0.66, 0.52), {"stretch": 0.4}, {"mass_ratio": 5.5}],
)
def test_what_does_not_match_tells_nothing_of_sizes(evidence: dict[str, Any]) -> None:
    """Another patient's lungs or an abdomen are not named as a wrong header or order."""
    assert len(findings(found_pct=12.0, **evidence)) == 1
    assert findings(found_pct=11.9, **evidence) == []
    ((_, reason),) = findings(found_pct=0.0, without_lungs="moving", **evidence)
    assert "no lungs were found" in reason


@pytest.mark.parametrize(
    ("etre_mm", "found_pct", "verdict"),
    [(0.9, 69.0, Verdict.WARN), (0.9, 24.0, Verdict.FAIL), (2.4, 69.0, Verdict.FAIL)],
)
def test_lungs_that_match_are_there(etre_mm: float, found_pct: float, verdict: Verdict) -> None:
    """A scan whose tissue goes together with the other's shows lungs that were not found."""
    judged = Judged(
        metrics=CaseMetrics(etre_mm=etre_mm, etre_found_pct=found_pct),
        evidence=Evidence(without_lungs="moving", etre_places=600),
        thresholds=Quality(),
    )
    ((found, _),) = wrong_input(judged)
    assert found is verdict


def test_time_points_have_no_order() -> None:
    """A call that says so is not warned of exchanged scans, but of all else."""
    points = Quality(time_points=True)
    assert findings(points, **EXCHANGED) == []
    assert len(findings(points, **EXCHANGED, mirrored="front and back")) == 1


@pytest.mark.parametrize(("etre_mm", "named"), [(1.0, True), (3.0, True), (5.0, False)])
def test_a_lost_registration_says_nothing_of_the_breath(etre_mm: float, named: bool) -> None:
    """Volumes and densities are those of other tissue then."""
    judged = Judged(
        metrics=CaseMetrics(etre_mm=etre_mm, etre_found_pct=60.0),
        evidence=Evidence(**EXCHANGED),
        thresholds=Quality(),
    )
    assert any("exchanged" in found.reason for found in wrong_input(judged)) is named
