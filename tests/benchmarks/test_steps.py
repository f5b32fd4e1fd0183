from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.benchmarks.case_steps import case_steps
from tests.benchmarks.given_case import Given, given_case
from tests.benchmarks.one_step import Step, Timed, timed
from tests.benchmarks.steps import measured, show
from tests.benchmarks.training_steps import training_steps

SHAPE = (32, 32, 32)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return given_case(tmp_path_factory.mktemp("case"), SHAPE)


def both(steps: dict[str, Step], name: str) -> tuple[Any, Any]:
    """What the recipe and what lungreg find in a step."""
    step = steps[name]
    assert step.recipe is not None
    return step.recipe(), step.lungreg()


@pytest.mark.slow
def test_every_step_is_measured_on_both_sides(tmp_path: Path) -> None:
    """Each line has seconds, a command of its own, and a ratio where the recipe has the step."""
    rows = list(measured(tmp_path, SHAPE, 1))
    assert len({row["command"] for row in rows}) == len(rows) > 15
    for row in rows:
        assert row["lungreg_s"] > 0
        assert (row["recipe_s"] is None) == (row["recipe / lungreg"] is None)
    show(rows)


def test_the_work_is_the_same_where_no_difference_is_told(given: Given) -> None:
    """Warps and gradients of both sides are equal."""
    steps = {step.name: step for step in (*case_steps(given), *training_steps(given))}
    theirs, ours = both(steps, "warp scan and mask, network's grid")
    torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=0)
    for name in ("mutual information and its gradient", "bending energy and its gradient"):
        theirs, ours = both(steps, name)
        assert (theirs - ours).norm() < 1e-3 * theirs.norm()


def test_the_scan_is_warped_alike_on_its_own_grid(given: Given) -> None:
    """Within the scan, where neither side fills in: the field is enlarged to the same voxels."""
    steps = {step.name: step for step in case_steps(given)}
    (scan, mask), carried = both(steps, "warp scan and mask, scan's own grid")
    inner = ~carried.scan.outside
    inner[[0, -1]] = inner[:, [0, -1]] = inner[:, :, [0, -1]] = False
    apart = np.abs(scan[0, 0].numpy() - carried.scan.values)[inner]
    assert np.quantile(apart, 0.99) < 1.0
    assert (mask[0, 0].numpy() == carried.label)[inner].mean() > 0.999


def test_a_shape_that_the_network_cannot_halve_is_refused(tmp_path: Path) -> None:
    """The rule is told before anything is simulated."""
    with pytest.raises(ValueError, match=r"16 divides each side.*got \(40, 48, 64\)"):
        given_case(tmp_path, (40, 48, 64))


def test_both_sides_are_done_by_turns() -> None:
    """The first call, which compiles, does not count; a short step is repeated more often."""
    calls: list[str] = []
    step = Step(name="x", recipe=lambda: calls.append("r"), lungreg=lambda: calls.append("l"))
    found = timed(step, 2)
    assert calls == ["r", "l"] * 11
    assert len(found.recipe_s) == len(found.lungreg_s) == 10


def test_a_ratio_says_how_many_times_as_long_the_recipe_takes() -> None:
    """Of medians, so that one disturbed repetition does not count; None without a counterpart."""
    step = Step(name="x", recipe=None, lungreg=lambda: None)
    assert Timed(step=step, recipe_s=[2.0, 2.0, 90.0], lungreg_s=[1.0, 1.0, 1.0]).ratio == 2.0
    assert Timed(step=step, lungreg_s=[1.0]).ratio is None
