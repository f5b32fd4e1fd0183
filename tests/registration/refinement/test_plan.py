"""Plans fit the scans."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.config import RefinePreset
from lungreg.registration.refinement import plan_for
from lungreg.spatial.geometry import Grid


def cubes(side_mm: float) -> Grid:
    """A grid of cubic voxels."""
    return Grid(shape=(9, 9, 9), affine=np.diag([side_mm] * 3 + [1.0]))


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


def test_a_coarse_moving_scan_makes_the_grid_coarser() -> None:
    """By 0.7 of its voxels: somewhat coarser than the fixed scan's, they change nothing."""
    plan = plan_for("default")
    fixed, similar, coarse = (cubes(side) for side in (2.0, 2.8, 8.0))
    assert plan.for_scans(fixed, similar) == plan.for_scans(fixed, fixed)
    assert plan.for_scans(fixed, fixed).levels[-1].spacing_mm == pytest.approx(0.8 * 2.0)
    assert plan.for_scans(fixed, coarse).spacing_mm == pytest.approx(0.8 * 0.7 * 8.0)
    assert plan.for_scans(coarse, fixed).spacing_mm == pytest.approx(0.8 * 8.0)


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
