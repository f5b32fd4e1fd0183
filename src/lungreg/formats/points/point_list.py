"""The record of a file of points: coordinates, their frame, labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.spatial.geometry import Frame


@dataclass(frozen=True, kw_only=True)
class PointSource:
    """The file that points were read from."""

    suffix: str
    """The end of its name, such as ".fcsv"."""
    data: bytes
    """All of it: what else it says of its points."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PointList:
    """Points of one scan, in the order of their file."""

    points: NDArray[np.float64]
    """(N, 3) coordinates in `frame`."""
    frame: Frame | None
    """Frame of the coordinates; None where the file does not name one (CSV)."""
    labels: tuple[str, ...] = ()
    """One name per point, or none at all."""
    titled: bool = True
    """Whether a CSV of them begins with a line of titles."""
    in_mm: bool = False
    """Whether its titles say that the coordinates are in mm."""
    source: PointSource | None = None
    """A file of the same format gets all that this one holds but for the coordinates."""

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 3 or len(self.points) == 0:
            msg = "a list of points has shape (N, 3) with N of at least 1"
            raise DataError(msg, got=self.points.shape)
        if not np.isfinite(self.points).all():
            msg = "points are finite"
            raise DataError(msg, got="NaN or infinity", mend="remove such points")
        if self.labels and len(self.labels) != len(self.points):
            msg = "a list of points has a label for each point, or none"
            raise DataError(msg, got=f"{len(self.labels)} for {len(self.points)} points")
