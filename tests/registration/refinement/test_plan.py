"""Plans fit the scans."""

from __future__ import annotations

import pytest

from lungreg.config import RefinePreset
from lungreg.registration.refinement import plan_for


@pytest.mark.parametrize("preset", ["fast", "default", "best"])
def test_no_level_is_finer_than_the_scans(preset: RefinePreset) -> None:
    """Every level stays; voxels of 5 mm make the finer ones 4 mm, and the working grid."""
    plan = plan_for(preset)
    coarse = plan.for_voxels(5.0)
    assert coarse.spacing_mm == pytest.approx(4.0)
    assert len(coarse.levels) == len(plan.levels)
    assert min(level.spacing_mm for level in coarse.levels) == pytest.approx(4.0)
    assert coarse.levels[0] == plan.levels[0]
    assert plan.for_voxels(1.0) == plan


def test_details_come_last() -> None:
    """Self-similarity leads; local contrast has the last word, on a grid of the scans' own size."""
    for preset in ("default", "best"):
        plan = plan_for(preset)
        assert plan.levels[0].measure == "structure"
        assert plan.levels[-1].measure == "contrast"
        assert plan.levels[-1].spacing_mm < plan.spacing_mm
        assert plan.for_voxels(2.0).levels[-1].spacing_mm == pytest.approx(1.6)


def test_short_memory_leaves_no_finer_grid() -> None:
    """A coarser plan has one grid alone."""
    plan = plan_for("default").coarser()
    assert min(level.spacing_mm for level in plan.levels) == pytest.approx(plan.spacing_mm)
