"""Turn a pair into the network's input tensors with MONAI's transforms, and augment it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lungreg.config import Augmentation, Preprocessing
from lungreg.extras import of_extra
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import CPU, dense_displacement, index_grid, mapped, sample
from lungreg.spatial.geometry import FloatArray, Grid, Transform, apply_affine

with of_extra("train"):
    from monai.data import MetaTensor
    from monai.transforms import (
        Affine,
        Compose,
        GaussianSmooth,
        RandGaussianNoise,
        ScaleIntensityRange,
        SpatialResample,
    )
    from monai.transforms.utils import create_rotate, create_scale, create_translate


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedPair:
    """A case as the network sees it, on the network's grid over the fixed scan's box."""

    grid: Grid
    """The network's grid, in the fixed scan's world."""
    affine: FloatArray
    """(4, 4) `A`; the moving scan below has been carried through it."""
    fixed: Tensor
    """(1, X, Y, Z) float32 in [0, 1]."""
    moving: Tensor
    """(1, X, Y, Z) float32 in [0, 1], 0 (air) where `A` leaves the scan."""
    fixed_mask: Tensor | None = None
    """(1, X, Y, Z) uint8, 1 in the lungs."""
    moving_mask: Tensor | None = None
    """(1, X, Y, Z) uint8, 1 in the lungs, after `A`."""
    fixed_points_vox: Tensor | None = None
    """(N, 3) float32 landmarks in voxels of `grid`."""
    moving_points_vox: Tensor | None = None
    """(N, 3) their partners, carried back through `A`, in voxels of `grid`."""
    true_displacement_mm: Tensor | None = None
    """(3, X, Y, Z) float32, the true `T(x) - x` at each voxel, RAS mm between both scans' worlds;
    augmentation changes where it is shown, not the vectors."""
    moving_grid: Grid | None = None
    """Grid of the moving scan in its own world; None for one without end."""
    motion: FloatArray | None = None
    """(4, 4) how augmentation moved the pair: from voxels of the tensors above to those of `grid`,
    which are the same without augmentation (None)."""


def prepare_pair(
    pair: Pair,
    affine: FloatArray,
    settings: Preprocessing,
    *,
    true_displacement_mm: NDArray[np.float32] | None = None,
    images_alone: bool = False,
    device: torch.device = CPU,
) -> PreparedPair:
    """Window both scans and carry them onto the network's grid, each sampled once.

    Args:
        pair: The case.
        affine: (4, 4) `A`, fixed RAS mm to moving RAS mm.
        settings: Window and size.
        true_displacement_mm: (3, X, Y, Z) `T(x) - x` on the fixed scan's grid, RAS mm, if known.
        images_alone: Leave out masks and landmarks: only losses use them.
        device: Where the scans are windowed and carried, and then are.
    """
    grid = pair.fixed.grid.resized(settings.spatial_size)
    to_fixed = np.linalg.inv(affine)
    moving_in_fixed = to_fixed @ pair.moving.grid.affine
    masks = (None, None) if images_alone else (pair.fixed_mask, pair.moving_mask)
    points = (None, None) if images_alone else _network_points(pair, grid, to_fixed)
    return PreparedPair(
        grid=grid,
        affine=np.asarray(affine),
        fixed=_resize(pair.fixed_hu, pair.fixed.grid.affine, grid, settings, device),
        moving=_resize(pair.moving_hu, moving_in_fixed, grid, settings, device),
        fixed_mask=_resize_mask(masks[0], pair.fixed.grid.affine, grid),
        moving_mask=_resize_mask(masks[1], moving_in_fixed, grid),
        fixed_points_vox=points[0],
        moving_points_vox=points[1],
        true_displacement_mm=_network_displacement(true_displacement_mm, pair.fixed.grid, grid),
        moving_grid=pair.moving.grid,
    )


def augment(
    pair: PreparedPair, settings: Augmentation, *, seed: int, epoch: int, case_id: str
) -> PreparedPair:
    """Change a training pair at random, drawn from (seed, epoch, case) alone.

    One affine map moves both scans, their masks, landmarks and true displacement; noise and blur
    are drawn for each scan on its own.
    """
    digest = hashlib.sha256(f"{seed}:{epoch}:{case_id}".encode()).digest()
    rng = np.random.RandomState(int.from_bytes(digest[:4], "big"))
    matrix = draw_affine(settings, rng)
    images = [
        _intensity(_moved(x, matrix, "bilinear"), settings, rng) for x in (pair.fixed, pair.moving)
    ]
    motion = None if matrix is None else _about_centre(matrix, pair.grid)
    return replace(
        pair,
        fixed=images[0],
        moving=images[1],
        fixed_mask=_moved_mask(pair.fixed_mask, matrix),
        moving_mask=_moved_mask(pair.moving_mask, matrix),
        fixed_points_vox=_moved_points(pair.fixed_points_vox, matrix, pair.grid),
        moving_points_vox=_moved_points(pair.moving_points_vox, matrix, pair.grid),
        true_displacement_mm=_moved_displacement(pair.true_displacement_mm, motion),
        motion=motion,
    )


def draw_affine(settings: Augmentation, rng: np.random.RandomState) -> FloatArray | None:
    """A random (4, 4) map from changed to unchanged network voxels, about the grid's centre.

    Returns:
        The map, or None where rotation, translation and scale are all switched off. All numbers
        are drawn in any case, so that switching one off leaves the others as they were.
    """
    draws = rng.uniform(-1, 1, size=(3, 3))
    if settings.rotation_deg is settings.translation_vox is settings.scale is None:
        return None
    angles = np.deg2rad(settings.rotation_deg or 0.0) * draws[0]
    shift = (settings.translation_vox or 0.0) * draws[1]
    scale = 1 + (settings.scale or 0.0) * draws[2]
    turn = np.asarray(create_rotate(3, angles.tolist()))
    return np.asarray(
        turn @ np.asarray(create_translate(3, shift.tolist())) @ create_scale(3, scale.tolist())
    )


def _network_points(
    pair: Pair, grid: Grid, to_fixed: FloatArray
) -> tuple[Tensor | None, Tensor | None]:
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    if fixed is None or moving is None:
        return None, None
    carried = grid.to_voxel(apply_affine(to_fixed, moving))
    return torch.as_tensor(grid.to_voxel(fixed)).float(), torch.as_tensor(carried).float()


def _network_displacement(
    total_mm: NDArray[np.float32] | None, fixed: Grid, grid: Grid
) -> Tensor | None:
    if total_mm is None:
        return None
    whole = Transform(affine=np.eye(4), displacement_mm=total_mm, grid=fixed)
    return torch.as_tensor(dense_displacement(whole, grid))


def _resize(
    hu: NDArray[np.float32],
    affine: FloatArray,
    grid: Grid,
    settings: Preprocessing,
    device: torch.device,
) -> Tensor:
    chain = Compose([_window(*settings.hu_window), _onto(grid, "bilinear")])
    return _plain(chain(_meta(hu, affine, device))).clamp_(0, 1)


def _resize_mask(mask: NDArray[Any] | None, affine: FloatArray, grid: Grid) -> Tensor | None:
    if mask is None:
        return None
    lungs = (mask > 0).astype(np.float32)
    return _plain(_onto(grid, "nearest")(_meta(lungs, affine))).round().to(torch.uint8)


@cache
def _window(low: float, high: float) -> ScaleIntensityRange:
    return ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)


def _meta(
    values: NDArray[np.float32], affine: FloatArray, device: torch.device = CPU
) -> MetaTensor:
    image = torch.as_tensor(values, device=device)[None]
    return MetaTensor(image, affine=torch.as_tensor(affine.copy()))


def _onto(grid: Grid, mode: str) -> Any:
    """MONAI's resampling onto a grid; outside there is air, which the window made 0."""
    resampler = SpatialResample(
        mode=mode,
        padding_mode="zeros",
        align_corners=True,
        dtype=np.float32,
    )
    target = torch.as_tensor(grid.affine.copy())

    def resample(image: MetaTensor) -> Any:
        return resampler(image, dst_affine=target, spatial_size=grid.shape)

    return resample


def _moved(image: Tensor, matrix: FloatArray | None, mode: str) -> Tensor:
    if matrix is None:
        return image
    transform = Affine(affine=matrix, padding_mode="zeros", mode=mode, image_only=True)
    return _plain(transform(image))


def _moved_mask(mask: Tensor | None, matrix: FloatArray | None) -> Tensor | None:
    if mask is None or matrix is None:
        return mask
    return _moved(mask.float(), matrix, "nearest").round().to(torch.uint8)


def _moved_points(points: Tensor | None, matrix: FloatArray | None, grid: Grid) -> Tensor | None:
    if points is None or matrix is None:
        return points
    back = np.linalg.inv(_about_centre(matrix, grid))
    return torch.as_tensor(apply_affine(back, points.double().numpy())).float()


def _moved_displacement(total_mm: Tensor | None, motion: FloatArray | None) -> Tensor | None:
    if total_mm is None or motion is None:
        return total_mm
    nx, ny, nz = total_mm.shape[1:]
    came_from = mapped(motion, index_grid((nx, ny, nz), device=total_mm.device))
    return sample(total_mm[None], came_from[None])[0]


def _about_centre(matrix: FloatArray, grid: Grid) -> FloatArray:
    """A (4, 4) map about the grid's centre as one of the grid's voxels, counted from a corner."""
    centre = np.eye(4)
    centre[:3, 3] = (np.array(grid.shape) - 1) / 2
    return np.asarray(centre @ matrix @ np.linalg.inv(centre))


def _intensity(image: Tensor, settings: Augmentation, rng: np.random.RandomState) -> Tensor:
    sigma, noise_seed = rng.uniform(), int(rng.randint(2**31 - 1))
    if settings.blur_sigma is not None:
        low, high = settings.blur_sigma
        image = _plain(GaussianSmooth(sigma=low + sigma * (high - low))(image))
    if settings.noise_std is not None:
        noise = RandGaussianNoise(prob=1.0, std=settings.noise_std, sample_std=False)
        noise.set_random_state(seed=noise_seed)
        image = _plain(noise(image)).clamp(0, 1)
    return image


def _plain(image: Any) -> Tensor:
    """Without MONAI's metadata, which would slow every operation that follows."""
    return torch.as_tensor(image.as_tensor() if isinstance(image, MetaTensor) else image)
