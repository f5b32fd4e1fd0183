"""One case from files to transform, images and metrics. Knows no Ray."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lungreg.alignment import InitialAlignment
from lungreg.config import Alignment, Config
from lungreg.displacement import (
    Resampled,
    dense_displacement,
    jacobian_determinant,
    resample,
    to_mm,
    total_displacement_mm,
)
from lungreg.evaluation import OnFixedGrid, evaluate, lungs_of
from lungreg.geometry import Grid, Transform
from lungreg.network import predict
from lungreg.pairs import AIR_HU, Pair, hounsfield, read_pair
from lungreg.preparation import align
from lungreg.preprocessing import prepare_pair, window
from lungreg.quality import judge
from lungreg.records import Case, CaseMetrics, CaseResult, ModelCard, Split
from lungreg.stores import Stage
from lungreg.transform_files import describe_transform, encode_displacement
from lungreg.volumes import encode_labels, encode_volume


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


Render = Callable[[CaseResult, PairImages, Mapping[str, str]], str]
"""Draws the page of one case from its result, images and provenance."""


@dataclass(frozen=True, kw_only=True)
class RegistrationJob:
    """What is the same for every case of a run."""

    run_id: str
    config: Config
    """Preprocessing and network from the model's card, the rest from the run."""
    card: ModelCard
    splits: Mapping[str, Split]
    """By fingerprint: what a case was to the model."""
    alignment: Alignment
    """Choice of `A`."""
    provenance: Mapping[str, str]
    """Shown on each case's page; no paths."""


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
    metrics: CaseMetrics
    pictures: PairImages


def register_case(
    stage: Stage,
    case: Case,
    network: nn.Module,
    job: RegistrationJob,
    *,
    device: torch.device,
    render: Render | None,
    attempt: int = 1,
    worker: str = "main",
) -> CaseResult:
    """Read a case, register it, write its files, and say what came of it.

    Raises:
        LungregError: The case cannot be read, registered or written.
    """
    started, clock = datetime.now(UTC), _Clock()
    pair = read_pair(stage, case)
    read_s = clock.lap()
    registered = register_pair(pair, network, job.config, alignment=job.alignment, device=device)
    compute_s = clock.lap()
    folder = case_folder(job.run_id, case.case_id)
    result = CaseResult(
        **dataclasses.asdict(registered.metrics),
        run_id=job.run_id,
        case_id=case.case_id,
        split=job.splits.get(case.fingerprint, Split.UNSEEN),
        verdict=judge(registered.metrics, job.config.quality),
        output_image=f"{folder}/registered_img.nii.gz",
        output_label=None if registered.label is None else f"{folder}/registered_label.nii.gz",
        output_transform=f"{folder}/displacement.nii.gz",
        model_name=job.card.name,
        model_version=job.card.version,
        read_s=read_s,
        compute_s=compute_s,
        attempt=attempt,
        worker=worker,
        started_at=started,
        finished_at=datetime.now(UTC),
    )
    write_outputs(stage, pair, registered, result, job)
    if render is not None:
        page = render(result, registered.pictures, job.provenance)
        stage.write(f"{folder}/qc.html", page.encode())
    return dataclasses.replace(result, write_s=clock.lap(), finished_at=datetime.now(UTC))


def register_pair(
    pair: Pair, network: nn.Module, config: Config, *, alignment: Alignment, device: torch.device
) -> Registered:
    """Register one pair with a network.

    Args:
        pair: The case in memory.
        network: On `device`, in evaluation mode.
        config: Preprocessing as the network was trained with.
        alignment: Choice of `A`.
        device: Where to compute.
    """
    chosen = align(pair, config.preprocessing, alignment)
    transform = _network_transform(pair, network, config, chosen, device)
    dense_mm = dense_displacement(transform, pair.fixed.grid, device=device)
    air = AIR_HU + pair.case.moving_hu_offset
    warped = _carry(pair, transform, dense_mm, pair.moving.data, air, device)
    label = _carry_mask(pair, transform.affine, dense_mm, device)
    lungs, lungs_from = lungs_of(pair)
    images = _on_fixed_grid(pair, transform, dense_mm, warped, label, lungs, config, device)
    return Registered(
        transform=transform,
        alignment=chosen,
        dense_mm=dense_mm,
        image=warped.values,
        label=label,
        lungs_from=lungs_from,
        metrics=evaluate(pair, transform, images),
        pictures=_pictures(pair, transform, dense_mm, images, config, device),
    )


def case_folder(run_id: str, case_id: str) -> str:
    """Where a run keeps the files of a case on the stage."""
    return f"runs/{run_id}/cases/{case_id}"


def write_outputs(
    stage: Stage, pair: Pair, registered: Registered, result: CaseResult, job: RegistrationJob
) -> None:
    """Write a case's image, label, displacement and metrics to the stage."""
    folder, fixed = case_folder(job.run_id, pair.case.case_id), pair.fixed.grid
    image = encode_volume(registered.image, fixed, pair.moving.stored)
    stage.write(f"{folder}/registered_img.nii.gz", image)
    if registered.label is not None:
        label = encode_labels(registered.label, fixed)
        stage.write(f"{folder}/registered_label.nii.gz", label)
    stage.write(f"{folder}/displacement.nii.gz", _displacement_file(registered, fixed, job))
    stage.write(f"{folder}/displacement.json", _json(_sidecar(pair, registered, job)))
    facts = {
        **dataclasses.asdict(result),
        "alignment": registered.alignment.kind,
        "alignment_warning": registered.alignment.warning,
        "lungs_from": registered.lungs_from,
    }
    stage.write(f"{folder}/metrics.json", _json(facts))


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        lap, self._last = now - self._last, now
        return lap


def _network_transform(
    pair: Pair, network: nn.Module, config: Config, chosen: InitialAlignment, device: torch.device
) -> Transform:
    prepared = prepare_pair(pair, chosen.affine, config.preprocessing)
    with torch.inference_mode():
        fixed, moving = (x[None].to(device) for x in (prepared.fixed, prepared.moving))
        displacement_mm = to_mm(predict(network, fixed, moving).float(), prepared.grid)
    array = displacement_mm[0].cpu().numpy().astype(np.float32)
    return Transform(affine=chosen.affine, displacement_mm=array, grid=prepared.grid)


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
    config: Config,
    device: torch.device,
) -> OnFixedGrid:
    hu_window = config.preprocessing.hu_window
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
    config: Config,
    device: torch.device,
) -> PairImages:
    hu_window = config.preprocessing.hu_window
    moving_hu = hounsfield(pair.moving, pair.case.moving_hu_offset)
    aligned = _carry(pair, transform, None, moving_hu, AIR_HU, device)
    linear = transform.affine[:3, :3].astype(np.float32)
    return PairImages(
        grid=pair.fixed.grid,
        hu_window=hu_window,
        fixed=images.fixed,
        aligned=window(aligned.values, hu_window),
        warped=images.warped,
        fixed_mask=images.lungs if images.fixed_mask is None else images.fixed_mask,
        aligned_mask=images.aligned_mask,
        warped_mask=images.warped_mask,
        displacement_mm=np.einsum("kl,lxyz->kxyz", linear, dense_mm),
        jacobian=images.jacobian,
    )


def _positive(mask: NDArray[Any] | None) -> NDArray[np.bool_] | None:
    return None if mask is None else np.asarray(mask > 0)


def _displacement_file(registered: Registered, fixed: Grid, job: RegistrationJob) -> bytes:
    affine = registered.transform.affine
    if job.config.infer.full_resolution_field:
        return encode_displacement(total_displacement_mm(affine, registered.dense_mm, fixed), fixed)
    grid = registered.transform.grid
    total = total_displacement_mm(affine, registered.transform.displacement_mm, grid)
    return encode_displacement(total, grid)


def _sidecar(pair: Pair, registered: Registered, job: RegistrationJob) -> dict[str, Any]:
    made = {
        "model": job.card.name,
        "version": job.card.version,
        "run": job.run_id,
        "alignment": registered.alignment.kind,
        "file": "total displacement T(x) - x, the affine included",
        "resolution": "fixed scan" if job.config.infer.full_resolution_field else "network",
    }
    return describe_transform(
        registered.transform, fixed=pair.fixed.grid, moving=pair.moving.grid, made=made
    )


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, default=str).encode()
