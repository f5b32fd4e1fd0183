"""Image features that the refinement compares: self-similarity and local contrast of every voxel.

MIND-SSC (Heinrich et al. 2013, doi:10.1007/978-3-642-40811-3_24): the squared differences between
neighbouring patches around a voxel, relative to their local variance. They say what the structure
looks like and not how bright it is, which breathing changes.

Local contrast: how much brighter a voxel is than its surroundings, in standard deviations. The mean
product of two such images is their local correlation, which breathing leaves alone as well. It is
sharper and less noisy than self-similarity, but misleads where the scans are still far apart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.spatial.fused import is_fused, mean_around
from lungreg.spatial.slabs import at_once

CHANNELS = 12
_VALUES_AT_ONCE = 1 << 24
"""On a GPU: 67 MB."""
_DISTANCE = 2
REACH = _DISTANCE + 1
"""Voxels around a place, along each axis, that its features look at."""
_VARIANCE_RANGE = (1e-3, 1e3)
_WINDOW_VOX = 2
"""Radius of the mean that, taken twice, is the surroundings: a triangle of 9 voxels, SD 2."""
_NOISE_HU = 50.0
"""Standard deviation below which differences in brightness say little."""
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
    """MIND-SSC with patches of 3 voxels and a distance of 2 voxels, differentiable.

    Args:
        image: (1, 1, X, Y, Z) any unit.

    Returns:
        (1, 12, X, Y, Z) between 0 and 1.
    """
    padded = nnf.pad(image, (_DISTANCE,) * 6, mode="replicate")
    shape = image.shape[2:]
    distances = torch.empty(1, CHANNELS, *shape, device=image.device, dtype=image.dtype)
    lowest = torch.full_like(image, torch.inf)
    width = at_once(image.device, _VALUES_AT_ONCE // image.numel())
    for first in range(0, CHANNELS, width):
        some = _PAIRS[first : first + width]
        apart = [_shifted(padded, a, shape) - _shifted(padded, b, shape) for a, b in some]
        differences = torch.cat(apart) if len(apart) > 1 else apart[0]
        distance = mean_of_three(differences.square_())
        distances[0, first : first + width] = distance[:, 0]
        # Kept as it goes: a gradient of `amin` would need `distances` as they are now.
        for one in distance.split(1):
            lowest = torch.minimum(lowest, one)
    distances -= lowest
    variance = distances.mean(dim=1, keepdim=True)
    typical = float(variance.detach().mean()) or 1.0
    variance.clamp_(_VARIANCE_RANGE[0] * typical, _VARIANCE_RANGE[1] * typical)
    return distances.div_(variance).neg_().exp_()


def local_contrast(image: Tensor) -> Tensor:
    """Difference from the local mean, divided by the local standard deviation.

    Args:
        image: (1, 1, X, Y, Z) HU.

    Returns:
        (1, 1, X, Y, Z) without unit, mostly between -3 and 3.
    """
    mean = local_mean(image)
    variance = local_mean(image.square()) - mean.square()
    return (image - mean) / (variance.clamp_(min=0) + _NOISE_HU**2).sqrt_()


def local_mean(image: Tensor) -> Tensor:
    """Mean of the surroundings of each voxel (B, C, X, Y, Z), a triangle of 9 voxels along axes."""
    return cube_mean(cube_mean(image, _WINDOW_VOX), _WINDOW_VOX)


def pooled(volume: Tensor, factor: int) -> Tensor:
    """Means of blocks of `factor` voxels along each axis; what is left over is dropped."""
    return volume if factor == 1 else nnf.avg_pool3d(volume, factor)


def mean_of_three(image: Tensor) -> Tensor:
    """Means of three voxels along each axis of a volume (B, C, X, Y, Z), the edges repeated."""
    return cube_mean(image, 1)


def cube_mean(image: Tensor, radius: int) -> Tensor:
    """Means over `radius` voxels on both sides along each axis of a volume, the edges repeated."""
    plain = image.dtype == torch.float32 and not image.requires_grad
    if plain and is_fused(image.device):
        return torch.from_numpy(mean_around(image.numpy(), radius))
    if image.device.type != "cpu" and not image.requires_grad:
        return _pooled_mean(image, radius)
    return _cube_mean(image, radius)


def _pooled_mean(image: Tensor, radius: int) -> Tensor:
    """As `cube_mean`, by four operations: a GPU takes longer to begin one than to compute it."""
    image = nnf.pad(image, (radius,) * 6, mode="replicate")
    for dim in range(3):
        size = tuple(2 * radius + 1 if axis == dim else 1 for axis in range(3))
        image = nnf.avg_pool3d(image, size, stride=1)
    return image


def _cube_mean(image: Tensor, radius: int) -> Tensor:
    """As `cube_mean`, for gradients and where numba is missing."""
    for dim in (2, 3, 4):
        size = image.shape[dim]
        total = image.clone()
        for step in range(1, radius + 1):
            near = min(step, size)
            total.narrow(dim, near, size - near).add_(image.narrow(dim, 0, size - near))
            total.narrow(dim, 0, size - near).add_(image.narrow(dim, near, size - near))
            total.narrow(dim, 0, near).add_(image.narrow(dim, 0, 1))
            total.narrow(dim, size - near, near).add_(image.narrow(dim, size - 1, 1))
        image = total
    return image.div_((2 * radius + 1) ** 3)


def cube_max(image: Tensor, radius: int) -> Tensor:
    """The largest value within `radius` voxels along each axis of a volume without negative values.

    Axis by axis, by windows that double: `max_pool3d` looks at every voxel of the cube.
    """
    image = nnf.pad(image, (radius,) * 6)
    for dim in (2, 3, 4):
        wanted, width = 2 * radius + 1, 1
        while width < wanted:
            step = min(width, wanted - width)
            size = image.shape[dim] - step
            image = torch.maximum(image.narrow(dim, 0, size), image.narrow(dim, step, size))
            width += step
    return image


def _shifted(padded: Tensor, offset: tuple[int, ...], shape: torch.Size) -> Tensor:
    for dim, (step, size) in enumerate(zip(offset, shape, strict=True), start=2):
        padded = padded.narrow(dim, _DISTANCE + step, size)
    return padded
