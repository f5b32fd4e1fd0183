"""Separable symmetric filters of a volume: SciPy's, in a compiled pass per axis where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from lungreg.spatial.geometry import FloatArray
from lungreg.spatial.tensors import on_gpu, tensors

if TYPE_CHECKING:
    import torch

Beyond = Literal["nearest", "mirror"]
"""What a volume continues with: its last voxel, or its mirror image about that voxel's centre."""


def smoothed(
    image: NDArray[np.float32],
    kernels: Sequence[NDArray[np.float64] | None],
    *,
    beyond: Beyond = "nearest",
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """Correlate a volume (X, Y, Z) with a kernel along each axis; the same values in both ways.

    Args:
        image: The volume.
        kernels: For each axis the weights from the middle outwards; None leaves the axis.
        beyond: What the volume continues with.
        device: Where to compute; None is the CPU.
    """
    if on_gpu(device):
        from lungreg.spatial.tensor_filters import filtered

        (volume,) = tensors(device, np.asarray(image, dtype=np.float32))
        return np.asarray(filtered(volume, kernels, beyond=beyond).cpu().numpy())
    # PyTorch tells how many threads there are; figures that nothing is smoothed for do without.
    from lungreg.spatial.fused import filtered_along
    from lungreg.spatial.threads import has_numba

    result = np.asarray(image, dtype=np.float32)
    for axis, half in enumerate(kernels):
        if half is None:
            continue
        if has_numba():
            index = continued(result.shape[axis], len(half) - 1, beyond)
            result = filtered_along(result, axis, half, index)
        else:
            whole = np.concatenate([half[:0:-1], half])
            result = correlate1d(result, whole, axis=axis, mode=beyond)
    return result


def gaussian_kernel(sigma_vox: float, radius: int) -> NDArray[np.float64]:
    """Weights of a Gaussian from the middle to a radius; those of the whole kernel sum to 1."""
    offsets = np.arange(-radius, radius + 1)
    whole = np.exp(-0.5 / (sigma_vox * sigma_vox) * offsets**2)
    return np.asarray((whole / whole.sum())[radius:])


def gaussian(
    image: NDArray[np.float32],
    sigma_vox: FloatArray,
    *,
    truncate: float = 4.0,
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """`scipy.ndimage.gaussian_filter(mode="nearest")`.

    Args:
        image: (X, Y, Z).
        sigma_vox: (3,) voxels.
        truncate: Radius of the kernel in standard deviations.
        device: Where to compute; None is the CPU.
    """
    return smoothed(image, gaussian_kernels(sigma_vox, truncate=truncate), device=device)


def gaussian_kernels(
    sigma_vox: FloatArray, *, truncate: float = 4.0
) -> list[NDArray[np.float64] | None]:
    """The kernels of `gaussian`, from the middle outwards; None where nothing is smoothed."""
    return [
        gaussian_kernel(sigma, int(truncate * sigma + 0.5)) if sigma > 1e-15 else None
        for sigma in sigma_vox.tolist()
    ]


def continued(size: int, reach: int, beyond: Beyond) -> NDArray[np.int64]:
    """(size + 2 reach,) voxels along an axis and beyond its ends."""
    index = np.arange(-reach, size + reach)
    if beyond == "nearest" or size == 1:
        return np.asarray(np.clip(index, 0, size - 1))
    index = np.abs(index) % (2 * size - 2)
    return np.asarray(np.minimum(index, 2 * size - 2 - index))
