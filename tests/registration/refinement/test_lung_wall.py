"""What is compared at the lungs and around them, and where the motion may bend."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lungreg.registration.refinement.lung_wall import place_weights, stiffness
from lungreg.registration.refinement.plan import Level, plan_for
from lungreg.registration.refinement.scene import Scene
from lungreg.spatial.geometry import Grid

SIDE = 41
PLAN = replace(plan_for("default"), around_mm=4.0, body_mm=8.0)
LEVEL = Level(spacing_mm=2.0, steps=1, around_weight=0.3, body_weight=0.1)


def slab(*, shown: Tensor | None = None, vessels: tuple[slice, ...] = ()) -> Scene:
    """Lungs from the 15th to the 25th voxel of 2 mm along the first axis, without some columns."""
    lungs = torch.zeros(1, 1, SIDE, SIDE, SIDE)
    lungs[:, :, 15:26] = 1
    for vessel in vessels:
        lungs[:, :, :, vessel] = 0
    every = torch.ones_like(lungs)
    return Scene(
        grid=Grid(shape=(SIDE, SIDE, SIDE), affine=np.diag([2.0, 2.0, 2.0, 1.0])),
        fixed=every,
        moving=every,
        lungs=lungs,
        moving_lungs=lungs,
        fixed_shown=every if shown is None else shown,
        moving_shown=every,
    )


def test_weights_by_distance_from_the_lungs() -> None:
    """Lungs, two voxels next to them, four voxels of body, nothing; the outline ends before."""
    weights = place_weights(slab(), 1, LEVEL, PLAN)
    tissue, outline = (part[0, 0, :, 20, 20].tolist() for part in (weights.tissue, weights.outline))
    assert tissue[15:26] == [1.0] * 11
    assert tissue[7:15] == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.3, 0.3])
    assert tissue[26:34] == tissue[14:6:-1]
    assert outline[12:15] == pytest.approx([0.1, 1.0, 1.0])
    assert outline[15:26] == [1.0] * 11


def test_lungs_alone_keep_their_outline() -> None:
    """Without weight for what is around, its features do not count, and its share of lung does."""
    level = replace(LEVEL, around_weight=0.0, body_weight=0.0)
    weights = place_weights(slab(), 1, level, PLAN)
    assert weights.tissue.count_nonzero() == 11 * SIDE**2
    assert weights.outline.count_nonzero() == 15 * SIDE**2
    assert weights.either.equal(weights.outline)


def test_vessels_left_out_of_a_mask_are_lung() -> None:
    """Gaps of up to 8 mm: compared like the rest and no wall, as many masks leave vessels out."""
    whole, holed = (
        place_weights(slab(vessels=vessels), 1, LEVEL, PLAN)
        for vessels in ((), (slice(10, 14), slice(30, 31)))
    )
    assert holed.tissue.equal(whole.tissue)
    assert holed.lungs.equal(whole.lungs)
    wide = place_weights(slab(vessels=(slice(10, 16),)), 1, LEVEL, PLAN)
    assert wide.tissue[0, 0, 20, 12, 20] < 1


def test_nothing_counts_where_the_fixed_scan_has_no_data() -> None:
    """Neither features nor outline."""
    shown = torch.ones(1, 1, SIDE, SIDE, SIDE)
    shown[:, :, :, :20] = 0
    weights = place_weights(slab(shown=shown), 1, LEVEL, PLAN)
    assert not weights.either[:, :, :, :20].any()
    assert weights.tissue[:, :, 20, 20:].all()


@pytest.mark.parametrize("control", [1, 2, 4])
def test_motion_is_soft_at_the_wall_alone(control: int) -> None:
    """Where a neighbouring node is of the other kind; the last nodes lie beyond the level."""
    level = replace(LEVEL, control=control, wall_stiffness=0.1)
    nodes = -(-(SIDE - 1) // control) + 2
    found = stiffness(slab().lungs, level, (nodes, nodes, nodes))
    assert found.shape == (nodes, nodes, nodes)
    voxels = torch.arange(nodes) * control
    inside = (voxels >= 15 + control) & (voxels <= 25 - control)
    outside = (voxels < 15 - control) | (voxels > 25 + control)
    assert found[inside].eq(1).all()
    assert found[outside].eq(1).all()
    torch.testing.assert_close(
        found[~(inside | outside)],
        torch.full_like(found[0], 0.1)[None].expand(int((~(inside | outside)).sum()), -1, -1),
    )


def test_a_stiff_wall_is_like_any_other_place() -> None:
    """Factor 1 everywhere."""
    assert stiffness(slab().lungs, LEVEL, (SIDE, SIDE, SIDE)).eq(1).all()
