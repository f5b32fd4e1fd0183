"""Small breathing pairs in memory."""

from __future__ import annotations

from functools import cache

import numpy as np

from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.sources.simulation.analytic import simulate_pair
from lungreg.sources.simulation.records import BreathingSettings, SimulatedPair
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Grid, Transform

SHAPE, SPACING_MM = (56, 45, 56), (5.2, 5.2, 5.2)


@cache
def simulated(diaphragm_mm: float = 25.0, cutoff_mm: float = 0.0) -> SimulatedPair:
    """One patient with so deep a breath."""
    settings = BreathingSettings(
        diaphragm_mm=(diaphragm_mm, diaphragm_mm), cutoff_mm=cutoff_mm, noise_hu=15.0
    )
    return simulate_pair(5, 1, shape=SHAPE, spacing_mm=SPACING_MM, settings=settings)


def as_pair(made: SimulatedPair, *, masks: bool = True, offset: float = 0.0) -> Pair:
    """The pair as the pipeline has it in memory."""
    stored = Stored(dtype="int16")
    return Pair(
        case=Case(
            case_id="a", fixed="", moving="", fixed_hu_offset=offset, moving_hu_offset=offset
        ),
        fixed=_volume(made.fixed, made.fixed_grid, offset, stored),
        moving=_volume(made.moving, made.moving_grid, offset, stored),
        fixed_mask=made.fixed_mask if masks else None,
        moving_mask=made.moving_mask if masks else None,
        landmarks_vox=made.landmarks_vox,
    )


def mean_error_mm(pair: Pair, transform: Transform) -> float:
    """Mean landmark error of a transform."""
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    if fixed is None or moving is None:
        return float("nan")
    return float(np.linalg.norm(transform_points(transform, fixed) - moving, axis=1).mean())


def _volume(values: np.ndarray, grid: Grid, offset: float, stored: Stored) -> Volume:
    return Volume(data=values.astype(np.float32) + np.float32(offset), grid=grid, stored=stored)
