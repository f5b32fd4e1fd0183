"""One pair in memory from its arrays to transform, images and metrics. Knows no files, no Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.config import Alignment
from lungreg.records import CaseMetrics, Evidence
from lungreg.registration.alignment import InitialAlignment, align
from lungreg.registration.evaluation import OnFixedGrid, evaluate, image_evidence
from lungreg.registration.lungs import fixed_lungs
from lungreg.registration.pair import AIR_HU, Estimate, Pair, hounsfield, window
from lungreg.spatial.displacement import (
    Resampled,
    dense_displacement,
    jacobian_determinant,
    resample,
)
from lungreg.spatial.geometry import Grid, Transform


@dataclass(frozen=True, kw_only=True, eq=False)
class PairImages:
    """What a picture of one registered case is drawn from, all on the fixed scan's own grid."""

    grid: Grid
    """The fixed scan's grid; its axes may point anywhere in the world."""
    hu_window: tuple[float, float]
    """HU carried to 0 and 1 of the three images."""
    fixed: NDArray[np.float32]
    """(X, Y, Z) expiration after the intensity window, 0 to 1."""
    aligned: NDArray[np.float32]
    """(X, Y, Z) moving image after `A` alone, likewise: before registration."""
    warped: NDArray[np.float32]
    """(X, Y, Z) moving image after `T`, likewise."""
    fixed_mask: NDArray[np.bool_] | None
    """(X, Y, Z) lungs of the fixed scan."""
    aligned_mask: NDArray[np.bool_] | None
    """(X, Y, Z) lungs of the moving scan after `A` alone."""
    warped_mask: NDArray[np.bool_] | None
    """(X, Y, Z) lungs of the moving scan after `T`."""
    displacement_mm: NDArray[np.float32]
    """(3, X, Y, Z) `T(x) - A(x)`, RAS components in mm."""
    jacobian: NDArray[np.float32]
    """(X, Y, Z) determinant of the Jacobian of `T`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Registered:
    """One registered pair in memory."""

    transform: Transform
    alignment: InitialAlignment
    dense_mm: NDArray[np.float32]
    """(3, X, Y, Z) `u` on the fixed grid."""
    image: NDArray[np.float32]
    """(X, Y, Z) warped moving scan in its stored scale."""
    label: NDArray[Any] | None
    """(X, Y, Z) warped moving labels."""
    lungs_from: str
    """How the fixed lungs are known."""
    notes: tuple[str, ...]
    """What a person should know of how the transform was found."""
    field_s: float
    """Seconds from the arrays in memory to the final displacement."""
    metrics: CaseMetrics
    evidence: Evidence
    """What the verdict rests on where there are neither masks nor landmarks."""
    pictures: PairImages


def register_pair(
    pair: Pair,
    estimate: Estimate,
    *,
    hu_window: tuple[float, float],
    alignment: Alignment,
    device: torch.device,
) -> Registered:
    """Register one pair.

    Args:
        pair: The case in memory.
        estimate: Finds `T`, given `A`: a network, an optimisation, or both.
        hu_window: HU carried to 0 and 1 where images are compared.
        alignment: Choice of `A`.
        device: Where to compute.
    """
    started = time.perf_counter()
    chosen = align(pair, hu_window, alignment)
    estimated = estimate(pair, chosen.affine)
    transform, field_s = estimated.transform, time.perf_counter() - started
    dense_mm = dense_displacement(transform, pair.fixed.grid, device=device)
    air = AIR_HU + pair.case.moving_hu_offset
    warped = _carry(pair, transform, dense_mm, pair.moving.data, air, device)
    label = _carry_mask(pair, transform.affine, dense_mm, device)
    lungs = fixed_lungs(pair)
    images = _on_fixed_grid(
        pair, transform, dense_mm, warped, label, lungs.or_everything, hu_window, device
    )
    return Registered(
        transform=transform,
        alignment=chosen,
        dense_mm=dense_mm,
        image=warped.values,
        label=label,
        lungs_from=lungs.known_from,
        notes=estimated.notes,
        field_s=field_s,
        evidence=image_evidence(images, pair.fixed.grid),
        metrics=evaluate(pair, transform, images),
        pictures=_pictures(pair, transform, dense_mm, images, lungs.inside, hu_window, device),
    )


def images_of(
    pair: Pair,
    transform: Transform,
    lungs: NDArray[np.bool_],
    *,
    hu_window: tuple[float, float],
    device: torch.device,
) -> OnFixedGrid:
    """What `evaluate` measures, for a transform from anywhere.

    Args:
        pair: The case in memory.
        transform: `T`.
        lungs: (X, Y, Z) where image metrics and folding are counted.
        hu_window: HU carried to 0 and 1 where images are compared.
        device: Where to compute.
    """
    dense_mm = dense_displacement(transform, pair.fixed.grid, device=device)
    air = AIR_HU + pair.case.moving_hu_offset
    warped = _carry(pair, transform, dense_mm, pair.moving.data, air, device)
    label = _carry_mask(pair, transform.affine, dense_mm, device)
    return _on_fixed_grid(pair, transform, dense_mm, warped, label, lungs, hu_window, device)


def _carry(
    pair: Pair,
    transform: Transform,
    dense_mm: NDArray[np.float32] | None,
    values: NDArray[Any],
    outside_value: float,
    device: torch.device,
) -> Resampled:
    return resample(
        values,
        pair.moving.grid,
        pair.fixed.grid,
        transform.affine,
        dense_mm,
        outside_value=outside_value,
        device=device,
    )


def _carry_mask(
    pair: Pair, affine: NDArray[Any], dense_mm: NDArray[np.float32] | None, device: torch.device
) -> NDArray[Any] | None:
    if pair.moving_mask is None:
        return None
    grids = (pair.moving.grid, pair.fixed.grid)
    return resample(
        pair.moving_mask, *grids, affine, dense_mm, mode="nearest", device=device
    ).values


def _on_fixed_grid(
    pair: Pair,
    transform: Transform,
    dense_mm: NDArray[np.float32],
    warped: Resampled,
    label: NDArray[Any] | None,
    lungs: NDArray[np.bool_],
    hu_window: tuple[float, float],
    device: torch.device,
) -> OnFixedGrid:
    initial = _carry_mask(pair, np.eye(4), None, device)
    aligned = _carry_mask(pair, transform.affine, None, device)
    moving_hu = warped.values - np.float32(pair.case.moving_hu_offset)
    return OnFixedGrid(
        fixed=window(pair.fixed_hu, hu_window),
        warped=window(moving_hu, hu_window),
        lungs=lungs,
        fixed_mask=_positive(pair.fixed_mask),
        initial_mask=_positive(initial),
        aligned_mask=_positive(aligned),
        warped_mask=_positive(label),
        jacobian=jacobian_determinant(transform.affine, dense_mm, pair.fixed.grid, device=device),
        outside=warped.outside,
    )


def _pictures(
    pair: Pair,
    transform: Transform,
    dense_mm: NDArray[np.float32],
    images: OnFixedGrid,
    lungs: NDArray[np.bool_] | None,
    hu_window: tuple[float, float],
    device: torch.device,
) -> PairImages:
    moving_hu = hounsfield(pair.moving, pair.case.moving_hu_offset)
    aligned = _carry(pair, transform, None, moving_hu, AIR_HU, device)
    linear = transform.affine[:3, :3].astype(np.float32)
    return PairImages(
        grid=pair.fixed.grid,
        hu_window=hu_window,
        fixed=images.fixed,
        aligned=window(aligned.values, hu_window),
        warped=images.warped,
        fixed_mask=lungs if images.fixed_mask is None else images.fixed_mask,
        aligned_mask=images.aligned_mask,
        warped_mask=images.warped_mask,
        displacement_mm=np.einsum("kl,lxyz->kxyz", linear, dense_mm),
        jacobian=images.jacobian,
    )


def _positive(mask: NDArray[Any] | None) -> NDArray[np.bool_] | None:
    return None if mask is None else np.asarray(mask > 0)
