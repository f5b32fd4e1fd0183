"""The loss of a step and its gradient: compiled, it is what PyTorch's operations give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lungreg.registration.refinement.field import control_grid, roughness, smoothed
from lungreg.registration.refinement.lung_wall import PlaceWeights
from lungreg.registration.refinement.objective import fused_loss, reference_loss, seen_share
from lungreg.registration.refinement.parts import Fixed, split
from lungreg.registration.refinement.plan import Level, plan_for
from lungreg.registration.refinement.sampling import ChannelTable
from lungreg.registration.refinement.task import Task
from lungreg.spatial.geometry import Grid

fused = pytest.importorskip("lungreg.registration.refinement.fused")

SHAPE = (21, 18, 25)


def make_task(control: int, features: int, spacing_mm: float = 2.0) -> Task:
    """Half of the places of a level, some of which the motion carries out of the moving scan."""
    generator = torch.Generator().manual_seed(control)

    def values(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    tissue, outline = (values(1, 1, *SHAPE) * (values(1, 1, *SHAPE) > 0.3) for _ in range(2))
    weights = PlaceWeights(lungs=outline, tissue=tissue, outline=outline)
    fixed = Fixed(
        features=(values(1, features, *SHAPE),), lungs=values(1, 1, *SHAPE), weights=weights
    )
    grid = Grid(shape=SHAPE, affine=np.diag([spacing_mm] * 3 + [1.0]))
    level = Level(spacing_mm=spacing_mm, steps=1, control=control, tolerance=0.4, overlap=0.2)
    return Task(
        part=split(fixed, int(weights.either.count_nonzero()) // 2)[0],
        moving=ChannelTable(values(1, features + 1, *SHAPE), torch.ones(1, 1, *SHAPE)),
        grid=grid,
        level=level,
        plan=plan_for("default"),
        stiffness=values(*control_grid(grid, control).shape),
        scale=0.01,
        seen=0.8,
        extent=3.0,
    )


def make_field(task: Task) -> Tensor:
    """Motion of up to some 6 mm."""
    shape = control_grid(task.grid, task.level.control).shape
    return 12 * torch.rand(3, *shape, generator=torch.Generator().manual_seed(1)) - 6


@pytest.mark.parametrize("features", [1, 12])
@pytest.mark.parametrize("control", [1, 2, 4])
def test_compiled_and_reference_agree(control: int, features: int) -> None:
    """Value and gradient, nodes on every voxel or on some, few channels or many."""
    task = make_task(control, features)
    field = make_field(task)
    expected, gradient = reference_loss(field, task)
    found, compiled = fused_loss(field, task)
    assert found == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(
        compiled, gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())
    )


@pytest.mark.parametrize("control", [1, 2, 4])
def test_what_the_moving_scan_shows_is_counted_alike(control: int, monkeypatch) -> None:
    """Compiled or not: places by weight; all of them give exactly 1, and none of a weight 0."""
    task = make_task(control, 1)
    shown = (torch.rand(1, 1, *SHAPE, generator=torch.Generator().manual_seed(5)) > 0.4).float()
    partly = replace(task, moving=ChannelTable(torch.zeros(1, 2, *SHAPE), shown))
    places = task.part.places
    nothing = replace(
        task, part=replace(task.part, places=replace(places, weight=0 * places.weight))
    )
    field = make_field(task)
    assert seen_share(field, task) == 1
    assert seen_share(field, nothing) == 0
    found = seen_share(field, partly)
    monkeypatch.setattr("lungreg.registration.refinement.objective.has_numba", lambda: False)
    assert seen_share(field, nothing) == 0
    assert 0.3 < found < 0.8
    # A place half-way between two voxels may be rounded to either.
    assert seen_share(field, partly) == pytest.approx(found, abs=2e-3)


def test_few_nodes_are_never_rough() -> None:
    """Where none has neighbours on both sides along every axis."""
    few = torch.rand(3, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    assert float(roughness(few, 2.0, 0.03)) == 0
    value, gradient = fused.roughness(few.numpy(), 2.0, 0.03, np.ones((2, 5, 5), np.float32))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("way", [reference_loss, fused_loss])
def test_gradient_is_that_of_differences(way) -> None:
    """Along a direction, the loss rises by the product with the gradient."""
    task = make_task(2, 12)
    field = make_field(task)
    _, gradient = way(field, task)
    ahead = 0.02 * gradient / gradient.norm()
    rise = (way(field + ahead, task)[0] - way(field - ahead, task)[0]) / 2
    assert rise == pytest.approx(float((gradient * ahead).sum()), rel=0.02)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    """The shares of the work do not depend on it."""
    task = make_task(2, 12)
    before, found = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(fused_loss(make_field(task), task))
    torch.set_num_threads(before)
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


def test_means_of_neighbours_are_their_own_adjoint() -> None:
    """<S a, b> = <a, S b>: what descent relies on for the gradient of the parameter."""
    a, b = (torch.rand(3, 5, 6, 7, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    torch.testing.assert_close((smoothed(a) * b).sum(), (a * smoothed(b)).sum())
