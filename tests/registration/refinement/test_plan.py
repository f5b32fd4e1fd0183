"""Plans fit the scans."""

from __future__ import annotations

import pytest

from lungreg.config import RefinePreset
from lungreg.registration.refinement import plan_for


@pytest.mark.parametrize("preset", ["fast", "default", "best"])
def test_coarse_voxels_have_no_finer_levels(preset: RefinePreset) -> None:
    """Every level stays, none finer than the working grid, which voxels of 5 mm make coarser."""
    plan = plan_for(preset)
    coarse = plan.for_voxels(5.0)
    assert coarse.spacing_mm == pytest.approx(4.0)
    assert len(coarse.levels) == len(plan.levels)
    assert min(level.spacing_mm for level in coarse.levels) == pytest.approx(4.0)
    assert coarse.levels[0] == plan.levels[0]
    assert plan.for_voxels(1.0) == plan


def test_every_preset_ends_with_details_on_its_own_grid() -> None:
    """Self-similarity leads there, local contrast has the last word but in the fastest."""
    for preset in ("fast", "default", "best"):
        plan = plan_for(preset)
        last = plan.levels[-1]
        assert last.spacing_mm == plan.spacing_mm
        assert last.measure == ("both" if preset == "fast" else "contrast")
        assert plan.levels[0].measure == "structure"
