"""Solve `i + u(i) = z` for `i` by Newton's method on the interpolated field.

Each point takes its own step, halved until the residual falls (damped Newton; Ortega and
Rheinboldt 1970). The fixed-point iteration that registration tools commonly use (Chen et al. 2008,
doi:10.1118/1.2816107) converges only while the displacement changes by less than a voxel per
voxel; lungs that breathe exceed that.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from lungreg.spatial.inversion.index_field import IndexField, voxels_of
from lungreg.spatial.threads import has_numba, run_shares

_MAX_STEPS = 40
_SMALLEST_SHARE = 1 / 64
_RESTART_NODES = 500_000


def solve(
    field: IndexField, targets: Tensor, start: Tensor, tolerance_mm: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Indices `i` with `i + u(i) = z` for targets z (N, 3), and the residual (N,) in mm.

    Where it does not converge, as in a fold, it starts again at the node that lands nearest.

    Args:
        field: `u`.
        targets: (N, 3) `z`, in the field's index.
        start: (N, 3) first guess of `i`, in the field's index.
        tolerance_mm: Residual that is small enough, for all points or (N,) for each.
    """
    tolerance = torch.as_tensor(tolerance_mm, device=targets.device).expand(len(targets))
    index, gap_mm = _newton(field, targets, start, tolerance)
    (stuck,) = torch.nonzero(gap_mm > tolerance, as_tuple=True)
    if len(stuck):
        again = _nearest_nodes(field, targets[stuck])
        tried, tried_mm = _newton(field, targets[stuck], again, tolerance[stuck])
        better = tried_mm < gap_mm[stuck]
        index[stuck[better]], gap_mm[stuck[better]] = tried[better], tried_mm[better]
    return index, gap_mm


def _newton(
    field: IndexField, targets: Tensor, start: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor]:
    if targets.device.type == "cpu" and targets.dtype == torch.float32 and has_numba():
        return compiled_newton(field, targets, start, tolerance)
    return reference_newton(field, targets, start, tolerance)


def compiled_newton(
    field: IndexField, targets: Tensor, start: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor]:
    """As `reference_newton`, point by point."""
    from lungreg.spatial.inversion.kernel import newton_share

    index, gap_mm = start.contiguous().clone().numpy(), np.empty(len(start), dtype=np.float32)
    volume = field.rows.numpy(), field.shape, field.to_mm.contiguous().numpy()
    wanted, most = targets.contiguous().numpy(), tolerance.float().contiguous().numpy()
    limits = _MAX_STEPS, np.float32(_SMALLEST_SHARE)

    def solve_share(first: int, last: int) -> None:
        newton_share((first, last), volume, wanted, most, limits, index, gap_mm)

    run_shares(solve_share, len(index))
    return torch.from_numpy(index), torch.from_numpy(gap_mm)


def reference_newton(
    field: IndexField, targets: Tensor, start: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor]:
    """All points at once, by PyTorch's operations: (N, 3) indices, (N,) residuals in mm."""
    index, gap = start.clone(), start + field.value(start) - targets
    gap_mm = field.length_mm(gap)
    share = torch.ones_like(gap_mm)
    (open_,) = torch.nonzero(gap_mm > tolerance, as_tuple=True)
    jacobian = field.at(index[open_])[1]
    for _ in range(_MAX_STEPS):
        if len(open_) == 0:
            break
        tried = index[open_] + share[open_, None] * _newton_step(jacobian, gap[open_])
        u, tried_jacobian = field.at(tried)
        tried_gap = tried + u - targets[open_]
        tried_mm = field.length_mm(tried_gap)
        better = tried_mm < gap_mm[open_]
        share[open_] = torch.where(better, (2 * share[open_]).clamp(max=1), share[open_] / 2)
        done = open_[better]
        index[done], gap[done], gap_mm[done] = tried[better], tried_gap[better], tried_mm[better]
        jacobian[better] = tried_jacobian[better]
        still = (gap_mm[open_] > tolerance[open_]) & (share[open_] > _SMALLEST_SHARE)
        open_, jacobian = open_[still], jacobian[still]
    return index, gap_mm


def _nearest_nodes(field: IndexField, targets: Tensor) -> Tensor:
    """(N, 3) indices of the nodes, or of a part of them, that land nearest to the targets."""
    stride = int(np.ceil((len(field.rows) / _RESTART_NODES) ** (1 / 3)))
    flat = np.arange(len(field.rows)).reshape(field.shape)[::stride, ::stride, ::stride].ravel()
    nodes = voxels_of(field.shape, flat)
    to_mm = field.to_mm.T.double().cpu().numpy()
    landed = nodes + field.rows[torch.as_tensor(flat, device=field.rows.device)].cpu().numpy()
    _, nearest = cKDTree(landed @ to_mm).query(targets.cpu().numpy() @ to_mm)
    return torch.as_tensor(nodes[nearest], dtype=targets.dtype, device=targets.device)


def _newton_step(jacobian: Tensor, gap: Tensor) -> Tensor:
    """`-J^-1 gap` (N, 3), or `-gap` where J folds or nearly so."""
    a, b, c = jacobian.unbind(dim=2)
    bc, ca, ab = (torch.linalg.cross(p, q, dim=1) for p, q in ((b, c), (c, a), (a, b)))
    determinant = (a * bc).sum(1, keepdim=True)
    solved = torch.cat([(m * gap).sum(1, keepdim=True) for m in (bc, ca, ab)], dim=1)
    usable = determinant > 1e-2
    return -torch.where(usable, solved / determinant.clamp(min=1e-2), gap)
