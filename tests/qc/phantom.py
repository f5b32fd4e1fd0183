"""A made-up registered case for tests of the pictures and pages."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from lungreg.records import CaseResult, Split, Status, Verdict
from lungreg.registration.correspondences import LandmarkEstimate
from lungreg.registration.images import PairImages
from lungreg.registration.landmark_places import LandmarkPlaces
from lungreg.spatial.geometry import Grid, Shape

FINISHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ODD = "a \"b\" <i>#1%</i> 'Åsa' 肺"
"""A case id that must stay text and lead to its file."""
_HALF_WIDTH_MM = 160.0
_LUNG_CENTRE_MM = 68.0


def phantom_case(
    shape: Shape = (40, 36, 44),
    *,
    masks: bool = True,
    directions: NDArray[np.float64] | None = None,
) -> PairImages:
    """Two lungs with vessels that slide down by up to 25 mm; after registration by 3 mm.

    Args:
        shape: Voxels of the grid, which is 320 mm wide whatever its shape.
        masks: Whether the case has lung masks.
        directions: (3, 3) unit vectors of the voxel axes in RAS; RAS itself where None.
    """
    turn = np.eye(3) if directions is None else directions
    extent = np.abs(turn.T @ np.array([320.0, 250.0, 300.0]))
    affine = np.eye(4)
    affine[:3, :3] = turn * (extent / np.array(shape))
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    grid = Grid(shape=shape, affine=affine)
    index = np.moveaxis(np.indices(shape, dtype=np.float64), 0, -1).reshape(-1, 3)
    points = grid.to_world(index)
    slide = 25.0 * np.exp(-(((points[:, 2] + 90.0) / 90.0) ** 2))
    down = np.stack([0 * slide, 0 * slide, -slide], axis=-1)
    (fixed, fixed_lungs), (aligned, aligned_lungs), (warped, warped_lungs) = (
        _thorax(points + share * down, shape) for share in (0.0, 1.0, 0.12)
    )
    return PairImages(
        grid=grid,
        hu_window=(-1000.0, 500.0),
        fixed=fixed,
        aligned=aligned,
        warped=warped,
        fixed_mask=fixed_lungs if masks else None,
        initial_mask=None,
        aligned_mask=aligned_lungs if masks else None,
        warped_mask=warped_lungs if masks else None,
        outside=np.zeros(shape, dtype=bool),
        dense_mm=(-0.88 * down).T.reshape(3, *shape).astype(np.float32),
        linear=np.eye(3),
        jacobian=(1.0 + 0.88 * slide / 60.0 * np.sign(points[:, 2] + 90.0))
        .reshape(shape)
        .astype(np.float32),
    )


def _lattice_in_lungs(reach_mm: float) -> NDArray[np.float64]:
    """(N, 3) places 12 mm apart in the lungs, up to so far from the centre along each axis."""
    at = np.arange(-reach_mm, reach_mm + 1.0, 12.0)
    places = np.stack(np.meshgrid(at, at, at, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.abs(np.abs(places[:, 0]) - _LUNG_CENTRE_MM) < 40.0
    return places[inside & (np.abs(places[:, 1]) < 50.0)]


def phantom_places() -> LandmarkEstimate:
    """Places 12 mm apart in the lungs, with errors from 0 to 12 mm; each fifth has no partner."""
    places = _lattice_in_lungs(108.0)
    errors = np.arange(len(places)) % 13.0
    errors[::5] = np.nan
    return LandmarkEstimate(
        places_ras=places,
        partners_ras=places + errors[:, None] / np.sqrt(3.0),
        errors_mm=errors,
        aligned_mm=errors + 5.0,
        deep=np.ones(len(places), dtype=bool),
        shown=np.ones(len(places), dtype=bool),
    )


def phantom_landmarks() -> LandmarkPlaces:
    """Landmarks 12 mm apart in the lungs, 8 mm down before, and up to 6 mm right after."""
    fixed = _lattice_in_lungs(96.0)
    errors = np.arange(len(fixed)) % 7.0
    return LandmarkPlaces(
        fixed_ras=fixed,
        before_ras=fixed - [0.0, 0.0, 8.0],
        after_ras=fixed + errors[:, None] * [1.0, 0.0, 0.0],
        aligned_mm=np.full(len(fixed), 8.0),
        errors_mm=errors,
    )


def phantom_result(case_id: str = "case_001", **metrics: float | None) -> CaseResult:
    """A successful row with the metrics given."""
    return CaseResult(
        run_id="infer-1",
        case_id=case_id,
        split=Split.TEST,
        started_at=FINISHED,
        finished_at=FINISHED,
        **metrics,  # type: ignore[arg-type]
    )


def phantom_cohort() -> list[CaseResult]:
    """Passing, warned, failing and failed cases in two splits, some without landmarks."""
    verdicts = [Verdict.PASS, Verdict.WARN, Verdict.FAIL]
    rows = [
        dataclasses.replace(
            phantom_result(
                f"case_{k}", tre_mm=None if k % 4 == 3 else 100.0 / k, dice_score=0.9 + k / 200
            ),
            verdict=verdicts[k % 3],
            evidence="estimated" if k % 4 == 3 else "landmarks",
            split=Split.TEST if k % 2 else Split.TRAIN,
        )
        for k in range(1, 12)
    ]
    odd = phantom_result(ODD, tre_mm=3.0, dice_score=0.9)
    lost = dataclasses.replace(
        phantom_result("lost"),
        status=Status.FAILED,
        verdict=Verdict.FAIL,
        error_code="unreadable_file",
        error_message="got </script> instead",
    )
    return [*rows, odd, lost]


def polylines(path: str) -> list[NDArray[np.float64]]:
    """The vertices in mm of each line of a path, read as SVG reads it."""
    lines = []
    for part in path.split("M")[1:]:
        numbers = [int(text) for text in re.findall(r"-?\d+", part)]
        lines.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0) / 10)
    return lines


def _thorax(
    points: NDArray[np.float64], shape: Shape
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    x, y, z = points.T
    hu = np.full(len(points), -1000.0)
    hu[(x / _HALF_WIDTH_MM) ** 2 + (y / 115.0) ** 2 < 0.96] = 40.0
    ring = np.abs(np.hypot(x / 145.0, y / 100.0) - 1.0) < 0.03
    hu[ring & (np.sin(z / 5.0) > 0.2)] = 450.0
    hu[np.hypot(x / 20.0, (y + 75.0) / 20.0) < 1.0] = 350.0
    lungs = np.zeros(len(points), dtype=bool)
    for side in (-1.0, 1.0):
        inward = (x - side * _LUNG_CENTRE_MM) / 52.0
        lungs |= inward**2 + (y / 80.0) ** 2 + ((z - 5.0) / 115.0) ** 2 < 1.0
    lungs &= z > -75.0 - 0.004 * ((np.abs(x) - _LUNG_CENTRE_MM) ** 2 + y**2) + 20.0
    vessels = np.sin(x / 6.0) + np.sin(y / 7.0 + z / 15.0) + np.sin(z / 6.5 - x / 20.0)
    hu[lungs] = np.where(vessels[lungs] > 2.1, 0.0, -820.0 + 0.6 * (80.0 - y[lungs]))
    window = np.clip((hu + 1000.0) / 1500.0, 0.0, 1.0)
    return window.reshape(shape).astype(np.float32), lungs.reshape(shape)
