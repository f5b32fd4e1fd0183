"""Descend on one level after the other: the scans and their features at each resolution."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from lungreg.devices import give_back_memory
from lungreg.registration.pair import Pair
from lungreg.registration.refinement.beyond_wall import continued
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
from lungreg.registration.refinement.plan import Level, Measure, Plan
from lungreg.registration.refinement.realigning import nearest_affine, with_affine
from lungreg.registration.refinement.scene import make_scene, through, working_grid
from lungreg.registration.refinement.search import search
from lungreg.registration.refinement.step import OnStep, Step
from lungreg.spatial.geometry import FloatArray, Grid, Transform, affine_transform

_SAME = 0.99


class Levels:
    """Features of both scans, and the descent on one level after the other."""

    def __init__(
        self,
        *,
        pair: Pair,
        affine: FloatArray,
        plan: Plan,
        device: torch.device,
        seed: int,
        on_step: OnStep | None,
    ) -> None:
        self._pair, self._plan, self._device = pair, plan, device
        self._first_affine = self._affine = affine
        self._seed, self._on_step = seed, on_step
        self._compared: dict[Level, Comparison] = {}
        self.steps = 0
        self.enter(1)
        self._show(plan.spacing_mm)

    def enter(self, number: int, *, runs: int = 1) -> None:
        """Begin a level, by its number from 1, that is run so many times: what steps tell."""
        self._level, self._runs, self._before = number, runs, self.steps

    def _show(self, spacing_mm: float) -> None:
        """From now on, both scans on a grid of this spacing, the moving one through the affine."""
        self._fixed_structure: Tensor | None = None
        self._forget_moving()
        if self._plan.gives_back:
            give_back_memory()
        # The same grid whatever the affine becomes: what is known of the fixed scan is kept.
        grid = working_grid(self._pair, self._first_affine, spacing_mm)
        self._scene = make_scene(self._pair, self._affine, grid, self._device)
        self._spacing_mm = spacing_mm

    def _forget_moving(self) -> None:
        self._moving_structure: Tensor | None = None
        self._compared.clear()

    def nothing(self) -> Transform:
        """`A` alone."""
        return affine_transform(self._affine, self._scene.grid.resized((2, 2, 2)))

    def run(self, level: Level, start: Transform) -> tuple[float, Transform]:
        """The last loss of a level, and where it ended."""
        if level.realigns:
            self._affine = nearest_affine(start, self._pair)
            start = with_affine(start, self._affine)
        if level.spacing_mm < _SAME * self._spacing_mm:
            self._show(level.spacing_mm)
        elif level.realigns:
            self._forget_moving()
            self._scene = through(self._scene, self._pair, self._affine, self._device)
        comparison = self._comparison(level)
        nodes = control_grid(comparison.grid, level.control)
        first = carry_over(start, nodes, self._device)
        if level.continues:
            first = continued(first, comparison.lungs)
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
            levels=self._plan.level_count,
            done=self.steps - self._before,
            total=self._runs * level.steps,
            spacing_mm=level.spacing_mm,
            loss=loss,
            transform=partial(as_transform, field, nodes, self._affine),
        )
