"""SSIM and the residual difference as PyTorch's operations, for GPUs.

What they are, `intensity` says, which has them for CPUs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lungreg.metrics.structure import C1, C2
from lungreg.spatial.tensor_filters import box_mean, filtered

Kernels = Sequence[NDArray[np.float64] | None]


def mean_ssim(x: Tensor, y: Tensor, inside: Tensor, kernels: Kernels) -> float:
    """Mean of the structural similarity over a mask.

    Args:
        x: (X, Y, Z) float32 in [0, 1].
        y: The other image.
        inside: (X, Y, Z) bool.
        kernels: Of the local means.
    """
    volumes = x, y, x * y, x * x + y * y
    a, b, product, squares = (filtered(it, kernels, beyond="mirror")[inside] for it in volumes)
    cross, mean_squares = a * b, a * a + b * b
    structure = (2 * (product - cross) + C2) / (squares - mean_squares + C2)
    luminance = (2 * cross + C1) / (mean_squares + C1)
    return float((luminance * structure).mean())


def residual_energies(
    x: Tensor, y: Tensor, inside: Tensor, kernels: Kernels, sides_vox: Sequence[int]
) -> tuple[float, float]:
    """Energy of the difference of two images' textures, and of both textures.

    Args:
        x: (X, Y, Z) float32.
        y: The other image.
        inside: (X, Y, Z) bool, where both show lung.
        kernels: Of the smoothing against noise.
        sides_vox: Of the box whose mean an image loses.
    """
    weight = box_mean(inside.float(), sides_vox)[inside]
    textures = []
    for image in (x, y):
        smooth = filtered(image, kernels)
        mean = box_mean(smooth * inside, sides_vox)
        textures.append(smooth[inside] - mean[inside] / weight)
    one, other = textures
    return float((one - other).square().sum()), float(one.square().sum() + other.square().sum())
