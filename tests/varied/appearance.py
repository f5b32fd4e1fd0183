"""How scans look: density that changes with the breath, vessels that fade, kernels and noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.varied.scans import Scan

_AIRY_HU, _SOLID_HU = -500.0, -150.0
_LOWEST_HU, _HIGHEST_HU = -1024.0, 3071.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """Reconstruction and dose of one scan."""

    blur_mm: float
    """Standard deviation of a Gaussian; 0 for none."""
    sharpen: float
    """Share of what a blur of one voxel takes away that is added again."""
    noise_hu: float
    """Standard deviation of the noise."""
    grain_vox: float
    """Noise is smoothed over this many voxels; 0 for white noise."""
    ringing: bool
    """Noise without its low frequencies, as sharp kernels leave it."""
    streaks_hu: float
    """Standard deviation of streaks from side to side at the height of the shoulders."""


@dataclass(frozen=True, kw_only=True)
class Density:
    """How lung tissue darkens and thickens from inspiration to expiration."""

    power: float
    """Density grows by the Jacobian to this power; 1 keeps the mass."""
    factor: float
    """Times this everywhere."""
    gradient: float
    """And by this share more at the back than in the middle, as much less in front."""
    fading: float
    """Share of small vessels' brightness that expiration loses."""


def draw_look(rng: np.random.Generator) -> Look:
    """Draw one scan's reconstruction and dose, apart from the other scan's."""
    soft = rng.random() < 0.5
    kind = rng.choice(["white", "grain", "ringing"])
    return Look(
        blur_mm=float(rng.uniform(0.2, 0.9)) if soft else 0.0,
        sharpen=0.0 if soft else float(rng.uniform(0.0, 0.8)),
        noise_hu=float(rng.uniform(10, 60)),
        grain_vox=0.0 if kind == "white" else float(rng.uniform(0.5, 1.1)),
        ringing=kind == "ringing",
        streaks_hu=float(rng.uniform(10, 40)) if rng.random() < 0.25 else 0.0,
    )


def draw_density(rng: np.random.Generator) -> Density:
    """Draw how the lungs' density differs between the breaths."""
    return Density(
        power=float(rng.uniform(0.7, 1.1)),
        factor=float(rng.uniform(0.92, 1.12)),
        gradient=float(rng.uniform(-0.05, 0.25)),
        fading=float(rng.uniform(0.15, 0.5)) if rng.random() < 0.5 else 0.0,
    )


def small_vessels(scan: Scan) -> NDArray[np.float32]:
    """(X, Y, Z) by how much thin bright structures stand out of the lungs, HU."""
    size = [3 if s < 2.5 else 2 for s in scan.grid.spacing_mm]
    thin = scan.hu - ndimage.grey_opening(scan.hu, size=size)
    inner = ndimage.binary_erosion(scan.mask > 0, iterations=2)
    return np.where(inner, np.clip(thin - 30, 0, None), 0).astype(np.float32)


def exhaled(
    scan: Scan,
    jacobian: NDArray[np.float32],
    thin_hu: NDArray[np.float32] | None,
    density: Density,
) -> Scan:
    """The inspiration as warped to expiration, with the densities of expiration.

    Args:
        scan: The inspiration at `T` of each voxel.
        jacobian: (X, Y, Z) determinant of the derivative of `T`.
        thin_hu: (X, Y, Z) `small_vessels` of the inspiration at `T`; None where none fade.
        density: How it changes.
    """
    lung = scan.mask > 0
    hu = scan.hu - (density.fading * thin_hu if thin_hu is not None else 0)
    inside = hu[lung]
    airy = np.clip((_SOLID_HU - inside) / (_SOLID_HU - _AIRY_HU), 0, 1)
    growth = np.clip(jacobian[lung], 0.1, 6.0) ** density.power * density.factor
    growth *= 1 + density.gradient * _towards_back(scan)[lung]
    shown = hu.astype(np.float32)
    shown[lung] = np.minimum((inside + 1000) * (1 - airy + airy * growth) - 1000, 100)
    return replace(scan, hu=shown)


def _towards_back(scan: Scan) -> NDArray[np.float32]:
    """(X, Y, Z) from -1 in front to 1 at the back of the lungs."""
    index = np.indices(scan.grid.shape, dtype=np.float32)
    row = scan.grid.affine[1].astype(np.float32)
    y = row[0] * index[0] + row[1] * index[1] + row[2] * index[2] + row[3]
    low, high = np.percentile(y[scan.mask > 0], (2, 98))
    return np.asarray(np.clip(1 - 2 * (y - low) / (high - low), -1, 1), dtype=np.float32)


def developed(rng: np.random.Generator, scan: Scan, look: Look) -> Scan:
    """The scan after its reconstruction kernel and with its noise, rounded, in scanners' range."""
    hu = scan.hu
    if look.blur_mm > 0:
        hu = ndimage.gaussian_filter(hu, look.blur_mm / scan.grid.spacing_mm)
    if look.sharpen > 0:
        hu = hu + np.float32(look.sharpen) * (hu - ndimage.gaussian_filter(hu, 1.0))
    hu = hu + np.float32(look.noise_hu) * _grain(rng, hu.shape, look)
    if look.streaks_hu > 0:
        hu = hu + np.float32(look.streaks_hu) * _streaks(rng, scan)
    return replace(scan, hu=np.rint(hu).clip(_LOWEST_HU, _HIGHEST_HU).astype(np.float32))


def _grain(rng: np.random.Generator, shape: tuple[int, ...], look: Look) -> NDArray[np.float32]:
    """Noise of standard deviation 1."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if look.ringing:
        noise -= np.float32(0.9) * ndimage.gaussian_filter(noise, look.grain_vox)
    elif look.grain_vox > 0:
        noise = ndimage.gaussian_filter(noise, (look.grain_vox, look.grain_vox, 0.3))
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _streaks(rng: np.random.Generator, scan: Scan) -> NDArray[np.float32]:
    """Lines from side to side, strongest at the upper end of the lungs."""
    across = int(np.abs(scan.grid.directions[0]).argmax())
    widths = [0.6, 0.6, 0.6]
    widths[across] = 40.0
    noise = rng.standard_normal(scan.hu.shape, dtype=np.float32)
    lines = ndimage.gaussian_filter(noise, widths)
    voxels = np.argwhere(scan.mask > 0)
    row = scan.grid.affine[2]
    top = float((voxels @ row[:3] + row[3]).max())
    index = [
        np.arange(n).reshape([-1 if a == b else 1 for b in range(3)])
        for a, n in enumerate(scan.hu.shape)
    ]
    height = sum((row[a] * index[a] for a in range(3)), row[3])
    near = np.exp(-0.5 * ((height - top) / 30.0) ** 2)
    return np.asarray(lines / lines.std() * near, dtype=np.float32)
