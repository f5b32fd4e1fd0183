"""A displacement field in voxels of its own grid, with its exact derivative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.errors import DataError
from lungreg.spatial.displacement import sample
from lungreg.spatial.geometry import FloatArray, Shape, Transform


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexField:
    """`u` in voxels of its own grid, where `T(x)` is `i + u(i)` up to affine maps."""

    rows: Tensor
    """(X * Y * Z, 3) float32 displacement in voxels."""
    shape: Shape
    to_mm: Tensor
    """(3, 3) from a difference of index to moving mm."""

    @classmethod
    def of(cls, transform: Transform, device: torch.device, dtype: torch.dtype) -> IndexField:
        """The field of a transform.

        Raises:
            DataError: A displacement that is not finite.
        """
        if not np.isfinite(transform.displacement_mm).all():
            msg = "a displacement to invert is finite"
            raise DataError(msg, got="NaN or infinity")
        from_mm = np.linalg.inv(transform.grid.affine)[:3, :3]
        linear = (transform.affine @ transform.grid.affine)[:3, :3]
        rows = transform.displacement_mm.reshape(3, -1).T @ from_mm.T.astype(np.float32)
        return cls(
            rows=torch.as_tensor(np.ascontiguousarray(rows), device=device),
            shape=transform.grid.shape,
            to_mm=torch.as_tensor(linear, device=device, dtype=dtype),
        )

    def length_mm(self, difference: Tensor) -> Tensor:
        """(N,) lengths in moving mm of differences (N, 3) of index."""
        squared: Tensor = (difference @ self.to_mm.T).square().sum(dim=1)
        return squared.sqrt()

    def value(self, index: Tensor) -> Tensor:
        """Trilinear `u` (N, 3) at indices (N, 3), constant beyond."""
        if index.dtype != self.rows.dtype:
            return self.at(index)[0]
        volume = self.rows.reshape(*self.shape, 3).permute(3, 0, 1, 2)
        return sample(volume[None], index.T[None])[0].T

    def at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """`value` (N, 3) at indices (N, 3), and `d(i + u)/di` (N, 3, 3)."""
        size = torch.tensor(self.shape, device=index.device)
        last = (size - 1).to(index.dtype)
        clamped = torch.minimum(index.clamp(min=0), last)
        low = torch.minimum(clamped.long(), (size - 2).clamp(min=0))
        fx, fy, fz = (clamped - low).split(1, dim=1)
        near, near_y, near_z = self._face(low, 0, fy, fz)
        far, far_y, far_z = self._face(low, 1, fy, fz)
        slopes = (far - near, torch.lerp(near_y, far_y, fx), torch.lerp(near_z, far_z, fx))
        inside = (index >= 0) & (index <= last)
        jacobian = torch.stack(slopes, dim=2) * inside[:, None, :]
        jacobian.diagonal(dim1=1, dim2=2).add_(1)
        return torch.lerp(near, far, fx), jacobian

    def _face(self, low: Tensor, x: int, fy: Tensor, fz: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`u` in one face of cells, and its slopes along y and z: (N, 3) each."""
        nx, ny, nz = self.shape
        corner = ((low[:, 0] + min(x, nx - 1)) * ny + low[:, 1]) * nz + low[:, 2]
        edges = []
        for y in (0, min(1, ny - 1) * nz):
            cells = corner + y, corner + (y + min(1, nz - 1))
            near, far = (self.rows[cell].to(fz.dtype) for cell in cells)
            edges.append((torch.lerp(near, far, fz), far - near))
        (near, near_z), (far, far_z) = edges
        return torch.lerp(near, far, fy), far - near, torch.lerp(near_z, far_z, fy)


def voxels_of(shape: Shape, flat: NDArray[np.int64]) -> FloatArray:
    """(N, 3) voxels of the flat indices (N,) of a grid."""
    return np.stack(np.unravel_index(flat, shape), axis=1).astype(np.float64)
