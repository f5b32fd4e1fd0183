"""Image features that the refinement compares: the self-similarity context of every voxel.

MIND-SSC (Heinrich et al. 2013, doi:10.1007/978-3-642-40811-3_24): the squared differences between
neighbouring patches around a voxel, relative to their local variance. They say what the structure
looks like and not how bright it is, which breathing changes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

CHANNELS = 12
_DISTANCE = 2
REACH = _DISTANCE + 1
"""Voxels around a place, along each axis, that its features look at."""
_VARIANCE_RANGE = (1e-3, 1e3)
_NEIGHBOURS = tuple(
    tuple(sign * _DISTANCE if axis == k else 0 for axis in range(3))
    for k in range(3)
    for sign in (1, -1)
)
_PAIRS = tuple(
    (a, b)
    for i, a in enumerate(_NEIGHBOURS)
    for b in _NEIGHBOURS[i + 1 :]
    if a != tuple(-n for n in b)
)


def self_similarity(image: Tensor) -> Tensor:
    """MIND-SSC with patches of 3 voxels and a distance of 2 voxels.

    Args:
        image: (1, 1, X, Y, Z) any unit.

    Returns:
        (1, 12, X, Y, Z) between 0 and 1.
    """
    padded = nnf.pad(image, (_DISTANCE,) * 6, mode="replicate")
    shape = image.shape[2:]
    distances = torch.empty(1, CHANNELS, *shape, device=image.device, dtype=image.dtype)
    for channel, (a, b) in enumerate(_PAIRS):
        difference = _shifted(padded, a, shape) - _shifted(padded, b, shape)
        distances[:, channel] = mean_of_three(difference.square_())[:, 0]
    distances -= distances.amin(dim=1, keepdim=True)
    variance = distances.mean(dim=1, keepdim=True)
    typical = float(variance.mean()) or 1.0
    variance.clamp_(_VARIANCE_RANGE[0] * typical, _VARIANCE_RANGE[1] * typical)
    return distances.div_(variance).neg_().exp_()


def pooled(volume: Tensor, factor: int) -> Tensor:
    """Means of blocks of `factor` voxels along each axis; what is left over is dropped."""
    return volume if factor == 1 else nnf.avg_pool3d(volume, factor)


def mean_of_three(image: Tensor) -> Tensor:
    """Means of three voxels along each axis of a volume (B, C, X, Y, Z), the edges repeated."""
    for dim in (2, 3, 4):
        size = image.shape[dim]
        total = image.clone()
        total.narrow(dim, 1, size - 1).add_(image.narrow(dim, 0, size - 1))
        total.narrow(dim, 0, size - 1).add_(image.narrow(dim, 1, size - 1))
        for end in (0, size - 1):
            total.narrow(dim, end, 1).add_(image.narrow(dim, end, 1))
        image = total
    return image.div_(27)


def _shifted(padded: Tensor, offset: tuple[int, ...], shape: torch.Size) -> Tensor:
    for dim, (step, size) in enumerate(zip(offset, shape, strict=True), start=2):
        padded = padded.narrow(dim, _DISTANCE + step, size)
    return padded
