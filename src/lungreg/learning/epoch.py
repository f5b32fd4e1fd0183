"""One pass of training or validation over prepared cases. Knows no Ray."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lungreg.config import Config, Loss
from lungreg.errors import RunError
from lungreg.learning.ahead import helpers_beside, made_ahead
from lungreg.learning.loss_input import LossInput
from lungreg.learning.losses import active_terms, case_terms, weigh
from lungreg.learning.network import predict
from lungreg.learning.preprocessing import PreparedPair, augment
from lungreg.learning.workers import Workers
from lungreg.records import Case
from lungreg.spatial.displacement import jacobian_determinant, sample, to_mm, warp

Load = Callable[[Case], PreparedPair]


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """The network with its optimiser and gradient scaler, on one device."""

    network: nn.Module
    optimizer: Optimizer
    scaler: torch.amp.GradScaler
    device: torch.device
    mixed_precision: bool


def batches(cases: Sequence[Case], *, size: int, seed: int, epoch: int) -> list[list[Case]]:
    """The epoch's global batches: every case once, none twice, in an order of (seed, epoch)."""

    def draw(case: Case) -> bytes:
        return hashlib.sha256(f"{seed}:{epoch}:{case.case_id}".encode()).digest()

    order = sorted(cases, key=draw)
    return [order[i : i + size] for i in range(0, len(order), size)]


def train_epoch(
    learner: Learner,
    cases: Sequence[Case],
    load: Load,
    config: Config,
    *,
    epoch: int,
    workers: Workers,
) -> dict[str, float]:
    """Train on every case once.

    Each global batch is divided among the workers and the gradients are summed over them, so that
    the number of workers does not change what is learned.

    Returns:
        Mean of the loss (`loss`) and of each term over the epoch's cases.

    Raises:
        RunError: The loss is no number: at the first batch for one worker, after the epoch for all
            of several, which must stop together.
    """
    learner.network.train()
    totals: dict[str, Tensor] = {}
    order = batches(cases, size=config.train.batch_size, seed=config.seed, epoch=epoch)
    shares = [batch[workers.rank :: workers.count] for batch in order]
    prepared = made_ahead(
        lambda case: _augmented(load(case), case, config, epoch),
        itertools.chain.from_iterable(shares),
        helpers=helpers_beside(learner.device),
    )
    for share in shares:
        pairs = list(itertools.islice(prepared, len(share)))
        values = _step(learner, pairs, config.loss, workers)
        for name, value in values.items():
            totals[name] = totals.get(name, torch.zeros(2)) + value
        if workers.count == 1:
            require_numbers({name: float(value[0]) for name, value in values.items()}, epoch)
    means = _means(totals, config.loss, workers)
    require_numbers(means, epoch)
    return means


def require_numbers(values: Mapping[str, float], epoch: int) -> None:
    """Refuse losses that are not finite: every later step would be lost.

    Raises:
        RunError: One is NaN or infinite.
    """
    odd = sorted(name for name, value in values.items() if not math.isfinite(value))
    if odd:
        msg = "the loss of a training stays a number"
        got = f"{', '.join(f'{name} {values[name]}' for name in odd)} in epoch {epoch}"
        mend = "lower train.learning_rate, or look at the cases in the report of a run of infer"
        raise RunError(msg, got=got, mend=mend)


def validate(
    network: nn.Module,
    cases: Sequence[Case],
    load: Load,
    config: Config,
    *,
    device: torch.device,
    workers: Workers,
) -> dict[str, float]:
    """Loss, terms and metrics on cases, on the network's grid, without augmentation.

    Returns:
        Means over the cases that have each: `loss`, the terms, `dice_score` (nearest neighbour),
        `tre_mm`, `fold_pct` (inside the fixed lungs, else everywhere).
    """
    network.eval()
    totals: dict[str, Tensor] = {}
    mine = list(cases)[workers.rank :: workers.count]
    for pair in made_ahead(load, mine, helpers=helpers_beside(device)):
        with torch.no_grad():
            given = _loss_inputs(network, [pair], device, amp=False)[0]
            values = case_terms(given, config.loss)
        metrics = {name: float(value) for name, value in values.items()} | _metrics(given)
        for name, value in metrics.items():
            totals[name] = totals.get(name, torch.zeros(2)) + torch.tensor([value, 1.0])
    return _means(totals, config.loss, workers)


def error_of(metrics: Mapping[str, float]) -> float:
    """The number by which models are compared, lower is better.

    The landmark error where there is one, else 1 - Dice, else the loss.
    """
    if "tre_mm" in metrics:
        return metrics["tre_mm"]
    if "dice_score" in metrics:
        return 1.0 - metrics["dice_score"]
    return metrics.get("loss", float("inf"))


def _augmented(pair: PreparedPair, case: Case, config: Config, epoch: int) -> PreparedPair:
    return augment(
        pair,
        config.preprocessing.augmentation,
        seed=config.seed,
        epoch=epoch,
        case_id=case.case_id,
    )


def _step(
    learner: Learner, pairs: Sequence[PreparedPair], settings: Loss, workers: Workers
) -> dict[str, Tensor]:
    """One optimiser step on this worker's share of a global batch; sums and counts of terms."""
    learner.optimizer.zero_grad(set_to_none=True)
    inputs = _loss_inputs(learner.network, pairs, learner.device, amp=learner.mixed_precision)
    terms = [case_terms(case, settings) for case in inputs]
    counts = _counts(terms, settings, workers)
    loss = weigh(terms, counts, settings)
    if loss is not None:
        learner.scaler.scale(loss).backward()
    values = _sums(terms)
    if not any(counts.values()):
        return values
    # A worker without a case scales nothing, but steps with the others: the scaler must know.
    learner.scaler.scale(torch.zeros((), device=learner.device))
    _sum_gradients(learner.network, workers)
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    return values


def _sums(terms: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Sum and count of each term over cases, as tensors of two."""
    sums: dict[str, Tensor] = {}
    for case in terms:
        for name, value in case.items():
            one = torch.stack([value.detach().float().cpu(), torch.ones(())])
            sums[name] = sums.get(name, torch.zeros(2)) + one
    return sums


def _counts(
    terms: Sequence[Mapping[str, Tensor]], settings: Loss, workers: Workers
) -> dict[str, float]:
    """How many cases of the global batch have each active term."""
    names = list(active_terms(settings))
    mine = torch.tensor([float(sum(name in case for case in terms)) for name in names])
    return dict(zip(names, workers.sum(mine).tolist(), strict=True))


def _loss_inputs(
    network: nn.Module, pairs: Sequence[PreparedPair], device: torch.device, *, amp: bool
) -> list[LossInput]:
    """The pairs after the network, which sees them as one batch; [] for none."""
    if not pairs:
        return []
    fixed = torch.stack([pair.fixed for pair in pairs]).to(device)
    moving = torch.stack([pair.moving for pair in pairs]).to(device)
    with torch.autocast(device.type, enabled=amp):
        displacement = predict(network, fixed, moving)
    return [
        LossInput(
            fixed=fixed[i, None],
            moving=moving[i, None],
            displacement_vox=displacement[i, None].float(),
            grid=pair.grid,
            affine=pair.affine,
            moving_grid=pair.moving_grid,
            motion=pair.motion,
            fixed_mask=_float_mask(pair.fixed_mask, device),
            moving_mask=_float_mask(pair.moving_mask, device),
            fixed_points_vox=_to(pair.fixed_points_vox, device),
            moving_points_vox=_to(pair.moving_points_vox, device),
            true_displacement_mm=_batch_of_one(pair.true_displacement_mm, device),
        )
        for i, pair in enumerate(pairs)
    ]


def _metrics(given: LossInput) -> dict[str, float]:
    result = {}
    inside = None if given.fixed_mask is None else given.fixed_mask[0, 0].cpu().numpy() > 0
    displacement_mm = to_mm(given.displacement_vox, given.grid)[0].cpu().numpy()
    jacobian = jacobian_determinant(np.eye(4), displacement_mm, given.grid)
    counted = jacobian if inside is None or not inside.any() else jacobian[inside]
    result["fold_pct"] = float(100 * (counted <= 0).mean())
    if given.fixed_mask is not None and given.moving_mask is not None:
        warped = warp(given.moving_mask, given.displacement_vox, mode="nearest")
        overlap = float((warped * given.fixed_mask).sum())
        total = float(warped.sum() + given.fixed_mask.sum())
        result["dice_score"] = 2 * overlap / max(total, 1.0)
    if given.fixed_points_vox is not None and given.moving_points_vox is not None:
        found = sample(given.displacement_vox, given.fixed_points_vox.T[None])[0].T
        gap = (given.fixed_points_vox + found - given.moving_points_vox).cpu().double().numpy()
        result["tre_mm"] = float(np.linalg.norm(gap @ given.grid.affine[:3, :3].T, axis=1).mean())
    return result


def _sum_gradients(network: nn.Module, workers: Workers) -> None:
    if workers.count == 1:
        return
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = workers.sum(torch.cat([gradient.reshape(-1) for gradient in gradients]))
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, part in zip(parameters, flat.split(sizes), strict=True):
        parameter.grad = part.view_as(parameter).clone()


def _means(totals: dict[str, Tensor], settings: Loss, workers: Workers) -> dict[str, float]:
    """Means over all workers' cases; a worker without cases still takes part in the sum."""
    weights = active_terms(settings)
    names = [*weights, "fold_pct", "dice_score", "tre_mm"]
    mine = torch.stack([totals.get(name, torch.zeros(2)) for name in names])
    summed = workers.sum(mine.reshape(-1)).reshape(-1, 2)
    means = {
        name: float(value / count)
        for name, (value, count) in zip(names, summed.tolist(), strict=True)
        if count > 0
    }
    terms = {name: means[name] for name in weights if name in means}
    if terms:
        means["loss"] = sum(weights[name] * value for name, value in terms.items())
    return means


def _float_mask(mask: Tensor | None, device: torch.device) -> Tensor | None:
    return None if mask is None else mask[None].to(device).float()


def _batch_of_one(volume: Tensor | None, device: torch.device) -> Tensor | None:
    return None if volume is None else volume[None].to(device)


def _to(points: Tensor | None, device: torch.device) -> Tensor | None:
    return None if points is None else points.to(device)
