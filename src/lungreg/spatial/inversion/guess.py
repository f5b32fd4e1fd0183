"""Where voxels lie in the index of a field, and where the inverse known so far moves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.spatial.displacement import sample
from lungreg.spatial.fused import is_fused
from lungreg.spatial.geometry import FloatArray, Grid, Transform, apply_affine
from lungreg.spatial.inversion.index_field import IndexField, voxels_of
from lungreg.spatial.threads import run_shares

_CENTRES = np.zeros(3)


@dataclass(frozen=True, kw_only=True, eq=False)
class Guess:
    """A first guess of the inverse of a transform."""

    field: IndexField
    """Of the transform."""
    to_index: FloatArray
    """(4, 4) from moving RAS mm to the field's index, without its displacement."""
    known: Transform | None
    """The inverse known so far; None for none."""

    def at(
        self, grid: Grid, numbers: NDArray[np.int64], within: NDArray[np.float64] = _CENTRES
    ) -> tuple[Tensor, Tensor]:
        """Indices (N, 3) of voxels without displacement, and how far (N, 3) the inverse moves them.

        Args:
            grid: A grid of the moving scan.
            numbers: (N,) flat indices of its voxels.
            within: (3,) factors that spread the points over the voxels, to be multiplied by their
                numbers; 0 for the centres.
        """
        if self.known is not None and is_fused(self.field.rows.device):
            targets, moved_mm = self._compiled_at(self.known, grid, numbers, within)
            return targets, moved_mm @ self.field.to_mm.inverse().T
        device = self.field.rows.device
        voxels = voxels_of(grid.shape, numbers)
        voxels += np.where(within > 0, (numbers[:, None] * within) % 1 - 0.5, 0)
        targets = _tensor(apply_affine(self.to_index @ grid.affine, voxels), device)
        if self.known is None:
            return targets, torch.zeros_like(targets)
        to_node = np.linalg.inv(self.known.grid.affine) @ grid.affine
        nodes = _tensor(apply_affine(to_node, voxels).T, device)
        values = torch.as_tensor(self.known.displacement_mm, device=device)
        return targets, sample(values[None], nodes[None])[0].T @ self.field.to_mm.inverse().T

    def _compiled_at(
        self, known: Transform, grid: Grid, numbers: NDArray[np.int64], within: NDArray[np.float64]
    ) -> tuple[Tensor, Tensor]:
        """Both as `at`, the second in mm."""
        from lungreg.spatial.inversion.kernel import guess_share

        targets, moved = (np.empty((len(numbers), 3), dtype=np.float32) for _ in range(2))
        to_field = np.ascontiguousarray(self.to_index @ grid.affine)
        to_node = np.ascontiguousarray(np.linalg.inv(known.grid.affine) @ grid.affine)
        values, flat = np.ascontiguousarray(known.displacement_mm), np.ascontiguousarray(numbers)

        def share(first: int, last: int) -> None:
            guess_share(
                (first, last),
                flat,
                grid.shape,
                within,
                to_field,
                (values, to_node),
                targets,
                moved,
            )

        run_shares(share, len(flat))
        return torch.from_numpy(targets), torch.from_numpy(moved)


def residuals_mm(field: IndexField, targets: Tensor, moved: Tensor) -> Tensor:
    """`|m + u(z + m)|` (M,) in mm for those of the indices `z + m` that lie in the field's box.

    Args:
        field: `u`.
        targets: (N, 3) `z`.
        moved: (N, 3) `m`.
    """
    if is_fused(targets.device):
        return _compiled_residuals_mm(field, targets, moved)
    index = targets + moved
    limit = torch.tensor(field.shape, device=index.device) - 0.5
    lands = ((index >= -0.5) & (index <= limit)).all(dim=1)
    return field.length_mm((moved + field.at(index)[0])[lands])


def _compiled_residuals_mm(field: IndexField, targets: Tensor, moved: Tensor) -> Tensor:
    from lungreg.spatial.inversion.kernel import residual_share

    gap_mm = np.empty(len(targets), dtype=np.float32)
    volume = field.rows.numpy(), field.shape, field.to_mm.contiguous().numpy()
    there, steps = targets.contiguous().numpy(), moved.contiguous().numpy()
    run_shares(lambda a, b: residual_share((a, b), volume, there, steps, gap_mm), len(there))
    return torch.from_numpy(gap_mm[~np.isnan(gap_mm)])


def _tensor(values: FloatArray, device: torch.device) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=device)
