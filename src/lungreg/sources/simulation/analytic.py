"""Simulate a breathing pair of an analytic chest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.sources.simulation.breathing import Breathing, draw_breathing
from lungreg.sources.simulation.chest import Chest, measure_chest
from lungreg.sources.simulation.records import (
    LEFT_LUNG,
    RIGHT_LUNG,
    BreathingSettings,
    SimulatedPair,
)
from lungreg.sources.simulation.scan import Picture, Truth, make_pair, motion_slabs
from lungreg.sources.simulation.spline import FieldSlab, Float32, plane_slabs, world_axes
from lungreg.sources.simulation.thorax import AIR_HU, MIDDLE_X, Thorax, Tissue, draw_thorax
from lungreg.sources.simulation.tubes import Tubes, draw_tubes
from lungreg.sources.simulation.vessels import draw_airways, draw_ribs, draw_vessels
from lungreg.spatial.geometry import Grid, Shape

_SMALLEST_MM = (180.0, 140.0, 180.0)
_CHEST_NODE_MM = 5.0
_TABLE_MM = 4.0
_BLOOD_HU, _BONE_HU = 45.0, 550.0

_DEFAULT = BreathingSettings()
_STREAMS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class _Patient:
    """The chest at inspiration, with its tubes at inspiration or at expiration."""

    thorax: Thorax
    vessels: Tubes
    airways: Tubes
    ribs: Tubes

    def moved(self, breathing: Breathing) -> _Patient:
        """The patient at expiration: shorter vessels are wider, so that they hold as much blood."""
        carry = breathing.to_fixed
        expansion = float(breathing.expansion(carry(self.vessels.forks_ras)).mean())
        return replace(
            self,
            vessels=self.vessels.moved(carry, widening=expansion ** (1 / 6)),
            airways=self.airways.moved(carry),
            ribs=self.ribs.moved(carry),
        )


def simulate_pair(
    seed: int,
    index: int,
    *,
    shape: Shape,
    spacing_mm: tuple[float, float, float],
    settings: BreathingSettings = _DEFAULT,
) -> SimulatedPair:
    """Simulate one breathing pair of a chest that is given by formulas.

    The chest is defined at inspiration. Both scans show it as it is at each voxel's own place,
    never by resampling the other, so that they are equally sharp. Lung tissue keeps its mass: its
    density at expiration is that at inspiration times the determinant of `T`'s derivative.

    Args:
        seed: Of the cohort, not negative.
        index: Of the case, not negative. The same seed and index give the same pair.
        shape: Voxels of each scan, the expiration before its bases are cut off.
        spacing_mm: Of both scans.
        settings: How the patient breathes.

    Raises:
        DataError: A field of view too small to hold a chest.
    """
    streams = [np.random.default_rng([seed, index, part]) for part in range(_STREAMS)]
    whole_grid = _scan_grid(shape, spacing_mm, shift_mm=np.zeros(3))
    shift_mm = streams[0].uniform(-_TABLE_MM, _TABLE_MM, 3)
    moving_grid = _scan_grid(shape, spacing_mm, shift_mm=shift_mm)
    patient = _draw_patient(streams[1], whole_grid)
    chest = _measure(patient.thorax, whole_grid)
    breathing = draw_breathing(streams[2], chest, whole_grid, settings)
    slabs = motion_slabs(breathing, whole_grid)
    exhaled = patient.moved(breathing)
    truth = Truth(breathing=breathing, slabs=slabs, distinct_ras=exhaled.vessels.forks_ras)
    return make_pair(
        _render(exhaled, whole_grid, slabs),
        _render(patient, moving_grid, _at_rest(moving_grid)),
        truth,
        settings,
        streams[3],
    )


def simulate_inspiration(
    seed: int, index: int, *, shape: Shape, spacing_mm: tuple[float, float, float]
) -> Picture:
    """The analytic chest at inspiration alone, without noise: for a motion of one's own.

    Args:
        seed: Of the cohort, not negative.
        index: Of the case, not negative. The same seed and index give the same patient.
        shape: Voxels of the scan.
        spacing_mm: Of the scan.

    Raises:
        DataError: A field of view too small to hold a chest.
    """
    grid = _scan_grid(shape, spacing_mm, shift_mm=np.zeros(3))
    patient = _draw_patient(np.random.default_rng([seed, index, 1]), grid)
    return _render(patient, grid, _at_rest(grid))


def _scan_grid(
    shape: Shape, spacing_mm: tuple[float, float, float], *, shift_mm: NDArray[np.float64]
) -> Grid:
    """Axes towards left, back and head, as scanners write them; the chest near the origin."""
    size = np.array(shape) * np.array(spacing_mm)
    if (size < _SMALLEST_MM).any():
        least, got = (" x ".join(f"{n:.0f}" for n in sides) for sides in (_SMALLEST_MM, size))
        msg = f"the field of view holds a chest: at least {least} mm"
        raise DataError(msg, got=f"{got} mm", mend="raise the shape or the spacing")
    steps = np.array([-1.0, -1.0, 1.0]) * spacing_mm
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(shape) - 1) / 2 + shift_mm
    return Grid(shape=shape, affine=affine)


def _draw_patient(rng: np.random.Generator, grid: Grid) -> _Patient:
    step_mm = float(np.clip(0.6 * grid.spacing_mm.min(), 0.7, 2.0))
    thorax = draw_thorax(rng, grid)
    return _Patient(
        thorax=thorax,
        vessels=draw_vessels(rng, thorax, step_mm),
        airways=draw_airways(thorax, step_mm),
        ribs=draw_ribs(rng, thorax, step_mm),
    )


def _measure(thorax: Thorax, grid: Grid) -> Chest:
    nx, ny, nz = np.ceil(np.array(grid.shape) * grid.spacing_mm / _CHEST_NODE_MM).astype(int)
    coarse = grid.resized((int(nx), int(ny), int(nz)))
    frame = thorax.to_frame(*world_axes(coarse, slice(0, None)))
    return measure_chest(thorax.lung_depth(*frame) > 0, coarse)


def _render(patient: _Patient, grid: Grid, slabs: list[FieldSlab]) -> Picture:
    """Show the patient on a grid, each voxel moved to where its tissue lies at inspiration."""
    hu = np.empty(grid.shape, dtype=np.float32)
    mask = np.empty(grid.shape, dtype=np.uint8)
    blur_mm = float(grid.voxel_volume_mm3 ** (1 / 3))
    covers = [draw_tubes(t, grid) for t in (patient.vessels, patient.ribs, patient.airways)]
    middle_x = patient.thorax.to_world(np.array([[MIDDLE_X, 0.0, 0.0]]))[0, 0]
    for slab in slabs:
        planes = slab.planes
        places = world_axes(grid, planes)
        x, y, z = (p + u for p, u in zip(places, slab.displacement_mm, strict=True))
        tissue = patient.thorax.tissue(x, y, z, blur_mm)
        hu[..., planes] = _shade(tissue, slab.jacobian, [c[..., planes] for c in covers])
        side = np.where(x > middle_x, RIGHT_LUNG, LEFT_LUNG)
        mask[..., planes] = np.where(tissue.lung >= 0.5, side, 0)
    return Picture(hu=hu, mask=mask, grid=grid)


def _at_rest(grid: Grid) -> list[FieldSlab]:
    nothing = np.zeros((3, 1, 1, 1), dtype=np.float32)
    same = np.ones((1, 1, 1), dtype=np.float32)
    return [
        FieldSlab(planes=planes, displacement_mm=nothing, jacobian=same)
        for planes in plane_slabs(grid)
    ]


def _shade(tissue: Tissue, jacobian: Float32, covers: list[Float32]) -> Float32:
    vessels, ribs, airways = covers
    inner = AIR_HU + tissue.density * jacobian
    inner += (_BLOOD_HU - inner) * vessels
    hu = tissue.rest_hu + (_BONE_HU - tissue.rest_hu) * ribs
    hu += (inner - hu) * tissue.lung
    hu += (AIR_HU - hu) * airways
    return np.asarray(hu)
