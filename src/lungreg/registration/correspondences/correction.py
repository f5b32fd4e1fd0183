"""A smooth correction of a transform through the partners that were found."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from lungreg.spatial.displacement import CPU, dense_on, sample
from lungreg.spatial.geometry import FloatArray, Grid, Transform
from lungreg.spatial.lines import affine_lines, places_on

_NODE_MM = 8.0
_NEAR_MM, _FAR_MM = 15.0, 40.0
_FAR_SHARE = 0.02
_NEIGHBOURS = 8
_APART_MM = 6.0


def agreeing(places_ras: FloatArray, steps_mm: FloatArray) -> NDArray[np.bool_]:
    """(N,) whether the step of a place lies within 6 mm of the median step of its neighbours.

    Args:
        places_ras: (N, 3) mm.
        steps_mm: (N, 3) from each place to its partner.
    """
    count = min(_NEIGHBOURS + 1, len(places_ras))
    if count < 2:
        return np.zeros(len(places_ras), dtype=bool)
    _, nearest = cKDTree(places_ras).query(places_ras, k=count)
    typical = np.median(steps_mm[nearest[:, 1:]], axis=1)
    return np.asarray(np.linalg.norm(steps_mm - typical, axis=1) < _APART_MM)


def corrected(
    transform: Transform,
    places_ras: FloatArray,
    steps_mm: FloatArray,
    grid: Grid,
    *,
    device: torch.device = CPU,
) -> Transform:
    """`T(x + c(x))`, where `c` is a smooth mean of the steps around `x`.

    Weights are Gaussian (15 mm); where no place is near, those of 40 mm take over.

    Args:
        transform: `T`.
        places_ras: (N, 3) fixed RAS mm, at least one.
        steps_mm: (N, 3) from each place to where, in the fixed scan, `T` should be read instead.
        grid: Where the result is given.
        device: Where to compute.
    """
    scale = _NODE_MM / float(grid.spacing_mm[0])
    nx, ny, nz = (int(np.ceil(n / scale)) + 1 for n in grid.shape)
    nodes = Grid(shape=(nx, ny, nz), affine=grid.affine @ np.diag([scale, scale, scale, 1.0]))
    step_mm = dense_on(device, _mean_steps(places_ras, steps_mm, nodes), grid)
    # A(x + c + u(x + c)) = A(x + v(x)), with v(x) = c(x) + u(x + c(x)).
    to_index = np.linalg.inv(transform.grid.affine)
    turn = torch.as_tensor(to_index[:3, :3].copy(), dtype=torch.float32, device=device)
    index = places_on(affine_lines(to_index @ grid.affine, grid.shape), 0, grid.shape[0], device)
    index += torch.einsum("kl,lxyz->kxyz", turn, step_mm)
    field = torch.as_tensor(transform.displacement_mm, device=device)
    there_mm = step_mm + sample(field[None], index[None])[0]
    return Transform(affine=transform.affine, displacement_mm=there_mm.cpu().numpy(), grid=grid)


def _mean_steps(places_ras: FloatArray, steps_mm: FloatArray, nodes: Grid) -> Transform:
    last = np.array(nodes.shape) - 1
    index = np.clip(np.rint(nodes.to_voxel(places_ras)).astype(int), 0, last)
    sums = np.zeros((4, *nodes.shape))
    for total, part in zip(sums, (*steps_mm.T, np.ones(len(steps_mm))), strict=True):
        np.add.at(total, tuple(index.T), part)
    near, far = (
        np.stack([gaussian_filter(part, sigma / _NODE_MM) for part in sums])
        for sigma in (_NEAR_MM, _FAR_MM)
    )
    share = _FAR_SHARE * near[3].max()
    wide = far[:3] / np.maximum(far[3], np.finfo(np.float64).tiny)
    mean = (near[:3] + share * wide) / (near[3] + share)
    return Transform(affine=np.eye(4), displacement_mm=mean.astype(np.float32), grid=nodes)
