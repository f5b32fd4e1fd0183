"""The terms of the training loss, each a scalar per case, and their weighted sum.

To add a term, write a function like those below in a file of its own, such as `mind_loss.py`, name
it in `TERMS`, and add a weight of the same name to `config.Loss`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from lungreg.config import Loss
from lungreg.extras import of_extra
from lungreg.learning.displacement_loss import displacement
from lungreg.learning.loss_input import LossInput, Term
from lungreg.learning.mind_loss import mind
from lungreg.learning.mutual_information import negative_mutual_information
from lungreg.spatial.displacement import sample, to_mm, warp

with of_extra("train"):
    from monai.losses import LocalNormalizedCrossCorrelationLoss

BENDING_REFERENCE_MM = 3.13
"""Network voxel of the published settings (96 x 96 x 104 over 192 x 192 x 208 voxels of
1.75 x 1.25 x 1.75 mm): the energy in mm times its square is of the order of the energy in voxels,
so that one weight serves both units."""


def mutual_information(case: LossInput, settings: Loss) -> Tensor | None:
    """Negative global mutual information, Parzen windows of 23 bins."""
    window = settings.mutual_information_window
    return negative_mutual_information(case.warped, case.fixed, window)


def lncc(case: LossInput, settings: Loss) -> Tensor | None:
    """Negative squared local normalised cross-correlation over 7 voxels (MONAI)."""
    value: Tensor = _lncc().to(case.fixed.device)(case.warped, case.fixed)
    return value


def dice(case: LossInput, settings: Loss) -> Tensor | None:
    """1 - Dice of the fixed lungs and the linearly warped moving lungs."""
    if case.fixed_mask is None or case.moving_mask is None:
        return None
    warped = warp(case.moving_mask, case.displacement_vox)
    overlap = (warped * case.fixed_mask).sum()
    total = (warped.sum() + case.fixed_mask.sum()).clamp(min=1e-5)
    return 1 - torch.div(2 * overlap, total)


def landmarks(case: LossInput, settings: Loss) -> Tensor | None:
    """Mean distance of the landmarks in mm, in the fixed scan's world."""
    if case.fixed_points_vox is None or case.moving_points_vox is None:
        return None
    points = case.fixed_points_vox
    found = sample(case.displacement_vox, points.T[None])[0].T
    matrix = torch.as_tensor(case.grid.affine[:3, :3].copy()).to(found)
    gap_mm = (points + found - case.moving_points_vox) @ matrix.T
    distances: Tensor = torch.linalg.vector_norm(gap_mm, dim=1)
    return distances.mean()


def bending_energy(case: LossInput, settings: Loss) -> Tensor | None:
    """Mean squared second derivatives of the displacement (Rueckert et al. 1999).

    In mm, they are derivatives of millimetres by millimetres, scaled by `BENDING_REFERENCE_MM`
    squared, so that the number does not depend on the grid. In voxels it is MONAI's.
    """
    if settings.bending_unit == "voxel":
        return second_derivative_energy(case.displacement_vox, (1.0, 1.0, 1.0))
    x, y, z = (float(value) for value in case.grid.spacing_mm)
    displacement_mm = to_mm(case.displacement_vox, case.grid)
    return second_derivative_energy(displacement_mm, (x, y, z)) * BENDING_REFERENCE_MM**2


def second_derivative_energy(u: Tensor, spacing: tuple[float, float, float]) -> Tensor:
    """Mean over voxels and components of the squared Hessian of a field.

    MONAI's `BendingEnergyLoss` (1.6: compact stencils), with a spacing. The voxel axes must be
    orthogonal; the mean does not depend on their rotation.

    Args:
        u: (B, 3, X, Y, Z), each side at least 3.
        spacing: Of the voxels along X, Y and Z.

    Returns:
        A scalar, in the unit of `u` squared by the unit of `spacing` to the fourth.
    """
    energy = u.new_zeros(())
    for i in range(3):
        energy = energy + (_second(u, i) / spacing[i] ** 2).square().mean()
        for j in range(i + 1, 3):
            mixed = _mixed(u, i, j) / (spacing[i] * spacing[j])
            energy = energy + 2 * mixed.square().mean()
    return energy


def _second(u: Tensor, axis: int) -> Tensor:
    inner = _crop(u, {0, 1, 2} - {axis})
    n = u.shape[axis + 2] - 2
    ahead, middle, behind = (inner.narrow(axis + 2, start, n) for start in (2, 1, 0))
    return ahead - 2 * middle + behind


def _mixed(u: Tensor, i: int, j: int) -> Tensor:
    return _central(_central(_crop(u, {0, 1, 2} - {i, j}), i), j)


def _central(u: Tensor, axis: int) -> Tensor:
    n = u.shape[axis + 2] - 2
    return (u.narrow(axis + 2, 2, n) - u.narrow(axis + 2, 0, n)) / 2


def _crop(u: Tensor, axes: set[int]) -> Tensor:
    for axis in axes:
        u = u.narrow(axis + 2, 1, u.shape[axis + 2] - 2)
    return u


@cache
def _lncc() -> LocalNormalizedCrossCorrelationLoss:
    return LocalNormalizedCrossCorrelationLoss(spatial_dims=3, kernel_size=7)


TERMS: Mapping[str, Term] = {
    "mutual_information": mutual_information,
    "bending_energy": bending_energy,
    "dice": dice,
    "lncc": lncc,
    "mind": mind,
    "landmarks": landmarks,
    "displacement": displacement,
}
"""Every term under the name of its weight in `config.Loss`."""


def active_terms(settings: Loss) -> dict[str, float]:
    """Terms with a weight above zero, and their weights."""
    weights = {name: float(getattr(settings, name)) for name in TERMS}
    return {name: weight for name, weight in weights.items() if weight > 0}


def case_terms(case: LossInput, settings: Loss) -> dict[str, Tensor]:
    """The active terms that this case has the data for, unweighted: scalars by name."""
    values = {name: TERMS[name](case, settings) for name in active_terms(settings)}
    return {name: value for name, value in values.items() if value is not None}


def weigh(
    cases: list[dict[str, Tensor]], counts: Mapping[str, float], settings: Loss
) -> Tensor | None:
    """This worker's share of the loss of a global batch.

    Each term is averaged over the cases of the global batch that have it; summed over workers the
    shares are the loss.

    Args:
        cases: `case_terms` of this worker's cases.
        counts: How many cases of the global batch have each term.
        settings: The weights.

    Returns:
        A scalar, or None where no case of this worker has any term.
    """
    weights = active_terms(settings)
    shares = [
        weights[name] * value / max(counts[name], 1.0)
        for case in cases
        for name, value in case.items()
    ]
    return torch.stack(shares).sum() if shares else None
