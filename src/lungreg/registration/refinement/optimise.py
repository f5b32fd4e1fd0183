"""Optimise the transform of one pair: coarse search, then gradient descent level by level."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from lungreg.config import Refine
from lungreg.devices import give_back_memory
from lungreg.registration.pair import Estimate, Estimated, Pair
from lungreg.registration.refinement.half_way import half_way
from lungreg.registration.refinement.levels import Levels
from lungreg.registration.refinement.memory_budget import fitting_plan
from lungreg.registration.refinement.plan import Plan, plan_for
from lungreg.registration.refinement.polish import polished
from lungreg.registration.refinement.realigning import with_affine
from lungreg.registration.refinement.scene import working_grid
from lungreg.registration.refinement.step import OnStep, Step
from lungreg.registration.refinement.unfolding import unfold
from lungreg.spatial.geometry import FloatArray, Transform
from lungreg.spatial.inversion import invert

_log = logging.getLogger(__name__)
_START_MEAN_MM, _START_MAX_MM = 0.1, 2.0
"""Residual of the inverse that the way back starts from: steps mend what is left."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Refined:
    """The result of a refinement."""

    transform: Transform
    """`T`, with no fold inside the fixed lungs."""
    plan: Plan
    """The plan that was used, after changes for voxel size and memory."""
    steps: int
    """Steps of descent, over all levels."""
    notes: tuple[str, ...] = ()
    """Warnings, such as a coarser grid because memory was short."""


def refinement_estimate(
    settings: Refine,
    device: torch.device,
    *,
    seed: int = 0,
    start: Estimate | None = None,
    processes: int = 1,
    on_step: OnStep | None = None,
) -> Estimate:
    """An estimate of `T` by optimisation, from `A` alone or from another estimate.

    Args:
        settings: The preset.
        device: Where to compute.
        seed: Of the order in which parts of the scans are compared.
        start: An estimate to start from, such as a network's.
        processes: Number of processes that do so at once and share the device's memory.
        on_step: Called after every step of descent.
    """

    def estimate(pair: Pair, affine: FloatArray) -> Estimated:
        first = None if start is None else start(pair, affine).transform
        plan = plan_for(settings.preset)
        found = refine(
            pair,
            affine,
            plan,
            device=device,
            seed=seed,
            start=first,
            on_step=on_step,
            processes=processes,
        )
        return Estimated(transform=found.transform, notes=found.notes)

    return estimate


def refine(
    pair: Pair,
    affine: FloatArray,
    plan: Plan,
    *,
    device: torch.device,
    seed: int = 0,
    start: Transform | None = None,
    on_step: OnStep | None = None,
    processes: int = 1,
) -> Refined:
    """Optimise the transform of one pair.

    Args:
        pair: The case in memory; its masks are used where it has them.
        affine: (4, 4) `A`.
        plan: Levels, steps and weights.
        device: Where to compute.
        seed: Of the order in which parts of the scans are compared; nothing else is random.
        start: A transform with this `A` to start from; the search for large motion is then skipped.
        on_step: Called after every step.
        processes: Number of processes that share the device's memory.

    Raises:
        ResourceError: Not even a coarse grid fits into memory.
    """
    task = _Task(pair=pair, affine=affine, device=device, seed=seed, on_step=on_step)
    plan = plan.for_scans(pair.fixed.grid, pair.moving.grid)
    plan = plan if start is None else plan.continued()
    notes: tuple[str, ...] = ()
    while True:
        plan, _, warnings = fitting_plan(
            plan,
            lambda mm: working_grid(pair, affine, mm),
            device,
            processes=processes,
            growth=float(abs(np.linalg.det(affine[:3, :3]))),
        )
        notes += warnings
        try:
            transform, steps = _both_ways(task, plan, start)
            break
        except (MemoryError, torch.OutOfMemoryError):
            plan = plan.coarser()
            notes += ("memory ran out: started again on a coarser grid",)
            _log.warning("memory ran out; the refinement starts again on a coarser grid")
    if plan.gives_back:
        give_back_memory()
    lungs = pair.fixed_lungs.or_everything
    return Refined(
        transform=unfold(polished(transform), pair.fixed.grid, lungs, device=device),
        plan=plan,
        steps=steps,
        notes=notes,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """What is optimised, and how it is told."""

    pair: Pair
    affine: FloatArray
    """(4, 4) `A`."""
    device: torch.device
    seed: int
    on_step: OnStep | None

    def levels(self, plan: Plan) -> Levels:
        """Its scans at the resolutions of a plan."""
        return Levels(
            pair=self.pair,
            affine=self.affine,
            plan=plan,
            device=self.device,
            seed=self.seed,
            on_step=self.on_step,
        )


def _both_ways(task: _Task, plan: Plan, start: Transform | None) -> tuple[Transform, int]:
    """`T` and the number of steps to it; features and places are gone at the end of each way."""
    there, steps = _there(task, plan, start)
    if plan.back is None or not steps:
        return there, steps
    meet = partial(half_way, there, moving=task.pair.moving.grid)
    told = _told_as_last(task.on_step, level=plan.level_count, before=steps, result=meet)
    back, more = _back(replace(task, on_step=told), plan, there)
    return meet(back), steps + more


def _there(task: _Task, plan: Plan, start: Transform | None) -> tuple[Transform, int]:
    """The way there alone, from the fixed to the moving scan, and its number of steps."""
    levels = task.levels(plan)
    return with_affine(_optimise(levels, plan, start), task.affine), levels.steps


def _back(task: _Task, plan: Plan, there: Transform) -> tuple[Transform, int]:
    """The way back, from the moving to the fixed scan, and its number of steps."""
    pair = task.pair
    inverse = invert(
        there,
        pair.moving.grid,
        lungs=pair.moving_lungs.or_everything,
        mean_mm=_START_MEAN_MM,
        max_mm=_START_MAX_MM,
        device=task.device,
    ).transform
    alone = plan.way_back(pair.fixed.grid, pair.moving.grid)
    levels = replace(task, pair=pair.exchanged, affine=inverse.affine).levels(alone)
    return levels.run(alone.levels[0], inverse)[1], levels.steps


def _told_as_last(
    on_step: OnStep | None, *, level: int, before: int, result: Callable[[Transform], Transform]
) -> OnStep | None:
    """Tells steps of one level as those of the last one, and their transform as its result."""
    if on_step is None:
        return None

    def told(step: Step) -> None:
        on_step(
            replace(
                step,
                number=before + step.number,
                level=level,
                levels=level,
                transform=lambda: result(step.transform()),
            )
        )

    return told


def _optimise(levels: Levels, plan: Plan, start: Transform | None) -> Transform:
    first, *finer = plan.levels
    levels.enter(1, runs=2 if start is None and plan.search_mm else 1)
    if start is None:
        ends = [levels.run(first, levels.nothing())]
        if plan.search_mm:
            ends.append(levels.run(first, levels.search()))
        # The lattice of the search is coarse: unless it found what the descent could not, the
        # descent from `A` is the better one.
        found = len(ends) > 1 and ends[1][0] < (1 - plan.search_gain) * ends[0][0]
        current = ends[1 if found else 0][1]
    else:
        current = levels.run(first, start)[1]
    for number, level in enumerate(finer, start=2):
        levels.enter(number)
        current = levels.run(level, current)[1]
    return current
