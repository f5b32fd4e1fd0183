"""Optimise the transform of one pair: coarse search, then gradient descent level by level."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lungreg.config import Refine
from lungreg.registration.pair import Estimate, Estimated, Pair
from lungreg.registration.refinement.descent import (
    Comparison,
    Features,
    compare,
    descend,
    level_grid,
)
from lungreg.registration.refinement.features import local_contrast, pooled, self_similarity
from lungreg.registration.refinement.field import as_transform, carry_over, control_grid
from lungreg.registration.refinement.lung_wall import place_weights
from lungreg.registration.refinement.memory_budget import fitting_plan
from lungreg.registration.refinement.plan import Level, Measure, Plan, plan_for
from lungreg.registration.refinement.polish import polished
from lungreg.registration.refinement.realigning import nearest_affine, with_affine
from lungreg.registration.refinement.scene import Scene, make_scene, working_grid
from lungreg.registration.refinement.search import search
from lungreg.registration.refinement.step import OnStep, Step
from lungreg.registration.refinement.unfolding import unfold
from lungreg.spatial.geometry import FloatArray, Grid, Transform, affine_transform

_log = logging.getLogger(__name__)
_SAME = 0.99


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

    def attempt(plan: Plan) -> tuple[Transform, int]:
        """The transform and the steps to it; features and places are gone at its end."""
        descent = _Descent(
            scene_at=lambda mm, by: make_scene(pair, by, working_grid(pair, affine, mm), device),
            pair=pair,
            affine=affine,
            plan=plan,
            seed=seed,
            on_step=on_step,
        )
        return with_affine(_optimise(descent, plan, start), affine), descent.steps

    plan = plan.for_scans(pair.fixed.grid, pair.moving.grid)
    plan = plan if start is None else plan.continued()
    notes: tuple[str, ...] = ()
    while True:
        plan, _, warnings = fitting_plan(
            plan, lambda mm: working_grid(pair, affine, mm), device, processes=processes
        )
        notes += warnings
        try:
            transform, steps = attempt(plan)
            break
        except (MemoryError, torch.OutOfMemoryError):
            plan = plan.coarser()
            notes += ("memory ran out: started again on a coarser grid",)
            _log.warning("memory ran out; the refinement starts again on a coarser grid")
    lungs = pair.fixed_lungs.or_everything
    return Refined(
        transform=unfold(polished(transform), pair.fixed.grid, lungs, device=device),
        plan=plan,
        steps=steps,
        notes=notes,
    )


def _optimise(descent: _Descent, plan: Plan, start: Transform | None) -> Transform:
    first, *finer = plan.levels
    descent.enter(1, runs=2 if start is None and plan.search_mm else 1)
    if start is None:
        ends = [descent.run(first, descent.nothing())]
        if plan.search_mm:
            ends.append(descent.run(first, descent.search()))
        # The lattice of the search is coarse: unless it found what the descent could not, the
        # descent from `A` is the better one.
        found = len(ends) > 1 and ends[1][0] < (1 - plan.search_gain) * ends[0][0]
        current = ends[1 if found else 0][1]
    else:
        current = descent.run(first, start)[1]
    for number, level in enumerate(finer, start=2):
        descent.enter(number)
        current = descent.run(level, current)[1]
    return current


class _Descent:
    """Features of both scans, and the descent on one level after the other."""

    def __init__(
        self,
        *,
        scene_at: Callable[[float, FloatArray], Scene],
        pair: Pair,
        affine: FloatArray,
        plan: Plan,
        seed: int,
        on_step: OnStep | None,
    ) -> None:
        self._scene_at, self._pair, self._plan = scene_at, pair, plan
        self._affine = affine
        self._seed, self._on_step = seed, on_step
        self._compared: dict[Level, Comparison] = {}
        self._spacing_mm = math.nan
        self.steps = 0
        self.enter(1)
        self._show(plan.spacing_mm)

    def enter(self, number: int, *, runs: int = 1) -> None:
        """Begin a level, by its number from 1, that is run so many times: what steps tell."""
        self._level, self._runs, self._before = number, runs, self.steps

    def _show(self, spacing_mm: float) -> None:
        """From now on, both scans on a grid of this spacing, the moving one through the affine."""
        if spacing_mm != self._spacing_mm:
            self._fixed_structure: Tensor | None = None
        self._moving_structure: Tensor | None = None
        self._compared.clear()
        self._scene = self._scene_at(spacing_mm, self._affine)
        self._spacing_mm = spacing_mm

    def nothing(self) -> Transform:
        """`A` alone."""
        return affine_transform(self._affine, self._scene.grid.resized((2, 2, 2)))

    def run(self, level: Level, start: Transform) -> tuple[float, Transform]:
        """The last loss of a level, and where it ended."""
        if level.realigns:
            self._affine = nearest_affine(start, self._pair)
            start = with_affine(start, self._affine)
        finer = level.spacing_mm < _SAME * self._spacing_mm
        if finer or level.realigns:
            self._show(level.spacing_mm if finer else self._spacing_mm)
        comparison = self._comparison(level)
        nodes = control_grid(comparison.grid, level.control)
        first = carry_over(start, nodes, self._scene.fixed.device)
        field, loss = first, 0.0
        generator = torch.Generator().manual_seed(self._seed)
        for field, loss in descend(first, comparison, level, self._plan, generator):
            self.steps += 1
            if self._on_step is not None:
                self._on_step(self._step(level, field, loss, nodes))
        return loss, as_transform(field, nodes, self._affine)

    def _comparison(self, level: Level) -> Comparison:
        """Both scans on a level; both starts of the first level share it."""
        if level not in self._compared:
            self._compared.clear()
            factor = max(1, round(level.spacing_mm / self._spacing_mm))
            features = self._features(level.measure)
            self._compared[level] = compare(self._scene, features, factor, level, self._plan)
        return self._compared[level]

    def _features(self, measure: Measure) -> Features:
        parts = [self._self_similar()] if measure in ("structure", "both") else []
        if measure in ("contrast", "both"):
            parts.append((local_contrast(self._scene.fixed), local_contrast(self._scene.moving)))
        fixed, moving = zip(*parts, strict=True)
        return Features(fixed=fixed, moving=moving)

    def _self_similar(self) -> tuple[Tensor, Tensor]:
        if self._fixed_structure is None:
            self._fixed_structure = self_similarity(self._scene.fixed)
        if self._moving_structure is None:
            self._moving_structure = self_similarity(self._scene.moving)
        return self._fixed_structure, self._moving_structure

    def search(self) -> Transform:
        """The transform that the discrete search finds."""
        plan = self._plan
        factor = math.ceil(plan.search_spacing_mm / self._spacing_mm - 0.01)
        grid = level_grid(self._scene.grid, factor)
        spacing_mm = float(grid.spacing_mm[0])
        fixed, moving = self._self_similar()
        found = search(
            pooled(fixed, factor),
            pooled(moving, factor),
            place_weights(self._scene, factor, plan.levels[0], plan).tissue,
            reach=max(1, round(plan.search_mm / spacing_mm)),
        )
        return as_transform(found * spacing_mm, grid, self._affine)

    def _step(self, level: Level, field: Tensor, loss: float, nodes: Grid) -> Step:
        return Step(
            number=self.steps,
            level=self._level,
            levels=len(self._plan.levels),
            done=self.steps - self._before,
            total=self._runs * level.steps,
            spacing_mm=level.spacing_mm,
            loss=loss,
            transform=partial(as_transform, field, nodes, self._affine),
        )
