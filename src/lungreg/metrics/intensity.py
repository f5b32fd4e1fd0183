"""Similarity of two images inside a mask: SSIM, correlation, residual difference of texture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungreg.metrics.comparable import BoolArray, require_same_shape, require_voxels
from lungreg.metrics.structure import mean_structure
from lungreg.metrics.texture import texture_energies
from lungreg.spatial.filters import gaussian_kernel, gaussian_kernels, smoothed
from lungreg.spatial.geometry import FloatArray, Grid
from lungreg.spatial.mask_box import mask_box
from lungreg.spatial.tensors import on_gpu, tensors

if TYPE_CHECKING:
    import torch

_SSIM_SIGMA_VOX = 1.5
_SSIM_RADIUS_VOX = 5
_SSIM_KERNEL = gaussian_kernel(_SSIM_SIGMA_VOX, _SSIM_RADIUS_VOX)
_NOISE_SIGMA_MM = 1.5
_DENSITY_WINDOW_MM = 25.0
_FLAT = 1e-12


def ssim(
    fixed: FloatArray, warped: FloatArray, mask: BoolArray, *, device: torch.device | None = None
) -> float:
    """Structural similarity (Wang et al. 2004), mean over a mask.

    Gaussian window of 11 taps and sigma 1.5 voxels along each axis, K1 0.01, K2 0.03, data range
    1: MONAI's `SSIMMetric(spatial_dims=3)`, filtered axis by axis. At the edges of the volume the
    images are mirrored.

    Args:
        fixed: (X, Y, Z) in [0, 1].
        warped: (X, Y, Z) in [0, 1].
        mask: (X, Y, Z) bool, where the map is averaged.
        device: Where to compute; None is the CPU.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    require_same_shape(fixed, warped, mask)
    require_voxels(mask)
    box = mask_box(mask, margin=_SSIM_RADIUS_VOX)
    x = np.asarray(fixed[box], dtype=np.float32)
    y = np.asarray(warped[box], dtype=np.float32)
    inside = mask[box]
    if on_gpu(device):
        from lungreg.metrics.intensity_tensors import mean_ssim

        a, b, within = tensors(device, x, y, inside)
        return mean_ssim(a, b, within, [_SSIM_KERNEL] * 3)
    return mean_structure(x, y, inside, _SSIM_KERNEL)


def ncc(fixed: FloatArray, warped: FloatArray, mask: BoolArray) -> float | None:
    """Pearson correlation of the intensities inside a mask, -1 to 1.

    Args:
        fixed: (X, Y, Z).
        warped: (X, Y, Z).
        mask: (X, Y, Z) bool.

    Returns:
        The correlation, or None where either image is constant inside the mask.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    require_same_shape(fixed, warped, mask)
    require_voxels(mask)
    x, y = fixed[mask].astype(np.float64), warped[mask].astype(np.float64)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    x -= x.mean()
    y -= y.mean()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def residual_difference(
    fixed: FloatArray,
    warped: FloatArray,
    mask: BoolArray,
    grid: Grid,
    *,
    device: torch.device | None = None,
) -> float | None:
    """Difference of two images inside the lungs after their local density is removed.

    Breathing in thins the lung, so that plain differences are large where nothing is wrong.
    Both images are smoothed a little against noise (Gaussian of 1.5 mm), and each loses its own
    mean over a cube of 25 mm, counted inside the mask alone. What is left, `f` and `w`, are
    vessels, airways and fissures, and the result is

        sqrt(sum (f - w)^2 / (sum f^2 + sum w^2)):

    0 where they are the same, about 1 where they have nothing to do with each other, up to 1.41
    where they are opposite. It has no unit and does not see places without texture.

    Args:
        fixed: (X, Y, Z), HU or after a window.
        warped: (X, Y, Z), in the same unit.
        mask: (X, Y, Z) bool, where both images show lung.
        grid: Of all three.
        device: Where to compute; None is the CPU.

    Returns:
        The share, or None where neither image has any texture inside the mask.

    Raises:
        DataError: Shapes differ, or the mask is empty.
    """
    require_same_shape(fixed, warped, mask)
    require_voxels(mask)
    sides_vox = np.maximum(1, np.rint(_DENSITY_WINDOW_MM / grid.spacing_mm).astype(int))
    box = mask_box(mask, margin=int(np.ceil(4 * _NOISE_SIGMA_MM / grid.spacing_mm.min())))
    inside, kernels = mask[box], gaussian_kernels(_NOISE_SIGMA_MM / grid.spacing_mm)
    images = [np.asarray(image[box], dtype=np.float32) for image in (fixed, warped)]
    if on_gpu(device):
        from lungreg.metrics.intensity_tensors import residual_energies

        a, b, within = tensors(device, *images, inside)
        sides = sides_vox.tolist()
        of_difference, energy = residual_energies(a, b, within, kernels, sides)
    else:
        x, y = (smoothed(image, kernels) for image in images)
        of_difference, energy = texture_energies(x, y, inside, sides_vox.tolist())
    if energy <= _FLAT * np.count_nonzero(inside):
        return None
    return float(np.sqrt(of_difference / energy))
