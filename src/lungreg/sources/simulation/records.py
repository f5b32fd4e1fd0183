"""The records of a simulation: its settings, the CT it starts from, the pair it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import ConfigError, DataError
from lungreg.spatial.geometry import Grid

MIN_LANDMARKS = 100
RIGHT_LUNG = 1
LEFT_LUNG = 2


@dataclass(frozen=True, kw_only=True)
class BreathingSettings:
    """How simulated patients breathe and how their scans look."""

    diaphragm_mm: tuple[float, float] = (15.0, 45.0)
    """Range that each case's greatest cranio-caudal motion of the diaphragm is drawn from, mm.
    Small chests move less where more would fold tissue."""
    rib_mm: tuple[float, float] = (3.0, 8.0)
    """Range that each case's widening of the rib cage is drawn from, mm on each side."""
    cutoff_mm: float = 0.0
    """How much of the lung bases the expiration's field of view cuts off, mm."""
    noise_hu: float = 25.0
    """Standard deviation of each scan's own Gaussian noise, HU."""
    landmarks: int = 150
    """Number of paired points inside the lungs, at least 100."""

    def __post_init__(self) -> None:
        for low, high in (self.diaphragm_mm, self.rib_mm):
            if not 0 <= low <= high <= 60:
                msg = "a range of motion is two lengths in order, from 0 to 60 mm"
                raise ConfigError(msg, got=(low, high))
        if not 0 <= self.cutoff_mm <= 100:
            msg = "the field of view cuts off from 0 to 100 mm"
            raise ConfigError(msg, got=self.cutoff_mm)
        if not 0 <= self.noise_hu <= 500:
            msg = "noise lies between 0 and 500 HU"
            raise ConfigError(msg, got=self.noise_hu)
        if self.landmarks < MIN_LANDMARKS:
            msg = f"a simulated pair has at least {MIN_LANDMARKS} landmarks"
            raise ConfigError(msg, got=self.landmarks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """A real CT that breathing is simulated on."""

    ct: NDArray[Any]
    """(X, Y, Z) Hounsfield units."""
    mask: NDArray[Any]
    """(X, Y, Z) integer labels, any positive value is lung."""
    grid: Grid
    """Grid of both, in any orientation."""

    def __post_init__(self) -> None:
        for name, array in (("ct", self.ct), ("mask", self.mask)):
            if array.shape != self.grid.shape:
                msg = f"{name} has the shape {self.grid.shape} of its grid"
                raise DataError(msg, got=array.shape)
        if not np.isfinite(self.ct).all():
            msg = "every value of a scan is finite"
            raise DataError(msg, got="NaN or infinity", mend="export the scan again")
        if not (self.mask > 0).any():
            msg = "a mask marks lung"
            raise DataError(msg, got="an empty mask", mend="segment the lungs first")


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedPair:
    """One breathing pair with its true transform."""

    fixed: NDArray[np.int16]
    """(X, Y, Z) expiration, HU."""
    moving: NDArray[np.int16]
    """(X, Y, Z) inspiration, HU, on its own grid."""
    fixed_grid: Grid
    moving_grid: Grid
    fixed_mask: NDArray[Any]
    """(X, Y, Z) labels on `fixed_grid`: 1 the right lung, 2 the left; of a real CT, its own."""
    moving_mask: NDArray[Any]
    """(X, Y, Z) labels on `moving_grid`, the same as in `fixed_mask`."""
    landmarks_vox: NDArray[np.float64]
    """(N, 6) the same tissue in both scans: fixed xyz, then moving xyz, in voxels of each."""
    displacement_mm: NDArray[np.float32]
    """(3, X, Y, Z) the true `T(x) - x` at the voxels of `fixed_grid`, RAS components in mm."""
