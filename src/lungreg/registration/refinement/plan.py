"""The settings of a refinement: resolution levels from coarse to fine, steps, weights; presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lungreg.config import RefinePreset
from lungreg.spatial.geometry import Grid

Measure = Literal["structure", "contrast", "both"]
"""What is compared: self-similarity, local contrast, or both (`features`)."""

_NEAR = 0.4
_VOXELS = 0.8
"""Spacing of the working grid in voxels of the scan, at least."""
_MOVING_VOXELS = 0.7
"""Of the moving scan that count as one of the fixed: it is looked at between its voxels."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One resolution."""

    spacing_mm: float
    """Of the features that are compared: a whole multiple of the plan's, rounded, or less than it,
    for which the scans are resampled once more."""
    steps: int
    """Steps of gradient descent."""
    tolerance: float = 0.25
    """Feature distance at which a place counts half: what has no partner must not pull. Wider
    while the scans are still far apart."""
    around_weight: float = 1.0
    """Weight of the features of tissue next to the lungs (`Plan.around_mm`)."""
    body_weight: float = 0.5
    """Weight of the features of the body around that (`Plan.body_mm`)."""
    overlap: float = 0.2
    """Weight of the squared difference of the shares of lung: it draws the walls together where
    the scans themselves are alike on both sides of them."""
    control: int = 1
    """Voxels of this level between the nodes of the displacement."""
    measure: Measure = "structure"
    """The features that are compared."""
    smoothness: float = 0.1
    """Weight of the roughness beside the root of the distance."""
    wall_stiffness: float = 1.0
    """Factor of the roughness at the lungs' surface, along which they slide."""
    continues: bool = False
    """Whether the motion of the lungs is first continued beyond their wall."""
    realigns: bool = False
    """Whether the affine is first fitted anew to the displacement so far."""
    step: float = 0.5
    """First step length of Adam, in voxels of the level; it falls to a fifth."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings of `refine`. Lengths are in mm, so that one plan serves all scans."""

    spacing_mm: float
    """Of the working grid, on which features are computed; coarser levels take means of them."""
    levels: tuple[Level, ...]
    """Coarse to fine."""
    search_mm: float = 32.0
    """Reach of the discrete search in each direction, mm; 0 skips it."""
    search_spacing_mm: float = 8.0
    """Distance between its candidates, mm."""
    kink: float = 0.03
    """Second derivative (per control node) up to which regularity is quadratic; linear beyond, so
    that the motion may bend sharply where lungs slide along the wall."""
    search_gain: float = 0.1
    """Share of the loss that the search must spare to be the start instead of `A` alone."""
    around_mm: float = 2.0
    """Distance from the lungs up to which tissue is next to them, mm."""
    body_mm: float = 20.0
    """Distance beyond that up to which the body is looked at, mm."""
    samples: int = 150_000
    """Most places that one step looks at; the steps take turns through all of them."""
    pace: float = 1.0
    """Factor for the step lengths of the levels."""
    back: Level | None = None
    """Where the way back, from the moving to the fixed scan, is optimised as well, from the inverse
    of the way there; both meet half-way. None: the way there alone."""
    gives_back: bool = False
    """Whether memory that a level has freed is given back to the system: the volumes of the next
    level are larger and would lie beside it."""

    @property
    def level_count(self) -> int:
        """Number of levels, the way back among them."""
        return len(self.levels) + (self.back is not None)

    @property
    def step_count(self) -> int:
        """Steps of descent in all, the way back among them; a search adds a second coarse level."""
        levels = (*self.levels, *filter(None, [self.back]))
        return sum(level.steps for level in levels)

    def coarser(self) -> Plan:
        """The plan on a working grid of half as many voxels, for less memory."""
        step = 2 ** (1 / 3)
        plan = self.for_voxels(self.spacing_mm * step / _VOXELS)
        return replace(plan, search_spacing_mm=self.search_spacing_mm * step)

    def for_scans(self, fixed: Grid, moving: Grid) -> Plan:
        """The plan for the voxels of two scans.

        What a scan of far coarser voxels shows, it shows on a finer grid as its own pattern.
        """
        fixed_mm, moving_mm = (float(np.cbrt(grid.voxel_volume_mm3)) for grid in (fixed, moving))
        return self.for_voxels(max(fixed_mm, _MOVING_VOXELS * moving_mm))

    def for_voxels(self, voxel_mm: float) -> Plan:
        """The plan for voxels that are coarser than its own grid."""
        finest_mm = _VOXELS * voxel_mm
        levels = (
            replace(level, spacing_mm=max(level.spacing_mm, finest_mm)) for level in self.levels
        )
        spacing_mm = max(self.spacing_mm, finest_mm)
        back = self.back and replace(self.back, spacing_mm=max(self.back.spacing_mm, finest_mm))
        return replace(self, spacing_mm=spacing_mm, levels=tuple(levels), back=back)

    def without_search(self) -> Plan:
        """The plan that starts from the alignment alone."""
        return replace(self, search_mm=0.0)

    def way_back(self, fixed: Grid, moving: Grid) -> Plan:
        """The plan of the way back alone, for the voxels of two scans.

        Raises:
            ValueError: A plan without a way back.
        """
        if self.back is None:
            msg = "this plan has no way back"
            raise ValueError(msg)
        alone = replace(
            self.without_search(), spacing_mm=self.back.spacing_mm, levels=(self.back,), back=None
        )
        return alone.for_scans(moving, fixed)

    def continued(self) -> Plan:
        """The plan from a start that is already near: without search and coarsest level.

        Adam's first steps are of full length whatever the gradient: long ones would lose the start.
        """
        levels = self.levels[1:] or self.levels
        return replace(self.without_search(), levels=levels, pace=_NEAR * self.pace)


def plan_for(preset: RefinePreset) -> Plan:
    """The plan of a preset."""
    return _PLANS[preset]


_COARSE = (
    # While tissue is far from its partner, what the scans show says more than the outline.
    Level(spacing_mm=8.0, steps=30, tolerance=1.0, overlap=0.0),
    Level(spacing_mm=4.0, steps=30, tolerance=0.4),
)


def _large(spacing_mm: float, steps: int) -> Level:
    """Full detail, but large parts move as one."""
    return Level(
        spacing_mm=spacing_mm,
        steps=steps,
        tolerance=1.2,
        control=4,
        body_weight=0.2,
        measure="both",
        smoothness=0.085,
        realigns=True,
    )


def _lungs_alone(spacing_mm: float, steps: int) -> Level:
    """Local contrast draws the lungs alone, since they slide."""
    return Level(
        spacing_mm=spacing_mm,
        steps=steps,
        around_weight=0.0,
        body_weight=0.0,
        measure="contrast",
        wall_stiffness=0.03,
        continues=True,
    )


def _lungs(spacing_mm: float, steps: int) -> Level:
    """Large parts of the lungs, free of the body that held them back until here.

    Small parts that follow mend a few millimetres: what a deep breath leaves beyond is mended here.
    """
    alone = _lungs_alone(spacing_mm, steps)
    return replace(alone, tolerance=3.0, control=8, smoothness=0.01, realigns=True)


def _small(spacing_mm: float, steps: int, *, smoothness: float = 0.155) -> Level:
    """Small parts of the lungs."""
    alone = _lungs_alone(spacing_mm, steps)
    return replace(alone, tolerance=2.0, control=2, smoothness=smoothness, step=0.3)


_PLANS: dict[RefinePreset, Plan] = {
    "fast": Plan(
        spacing_mm=2.0,
        levels=(*_COARSE, _large(2.0, 10), _lungs(2.0, 20), _small(2.0, 15, smoothness=0.1)),
        search_mm=30.0,
        search_spacing_mm=10.0,
        samples=50_000,
    ),
    "default": Plan(
        spacing_mm=2.0,
        levels=(
            *_COARSE,
            _large(2.0, 20),
            _lungs(2.0, 40),
            _small(2.0, 30, smoothness=0.1),
            _small(1.4, 20),
        ),
        samples=200_000,
        back=_small(1.4, 12),
    ),
    "best": Plan(
        spacing_mm=2.0,
        levels=(
            *_COARSE,
            _large(2.0, 30),
            _lungs(2.0, 40),
            _small(2.0, 30, smoothness=0.1),
            _small(1.4, 40),
            _small(1.1, 40),
        ),
        samples=200_000,
        back=_small(1.4, 20),
        gives_back=True,
    ),
}
