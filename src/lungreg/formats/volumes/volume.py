"""The records of a volume in memory and of how its file stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.placement import Remark, apart
from lungreg.spatial.geometry import Grid


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Type and scale of the values in a file: real value = slope * stored value + intercept."""

    dtype: str
    """Name of the numpy type, e.g. "int16"."""
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """A scan or mask on its grid."""

    data: NDArray[Any]
    """(X, Y, Z): float32 real values of a scan, or uint8 or int16 labels of a mask; as read from a
    file in C order, in which all that follows is fastest."""
    grid: Grid
    """Places of the voxels."""
    stored: Stored
    """Type and scale of its file."""
    remarks: tuple[Remark, ...] = ()
    """What was put right or is odd about the file's header."""

    def __post_init__(self) -> None:
        if self.data.shape != self.grid.shape:
            msg = f"a volume on this grid has shape {self.grid.shape}"
            raise DataError(msg, got=self.data.shape)


def require_same_grid(scan: Volume, mask: Volume) -> None:
    """Refuse a mask that does not lie on its scan's grid.

    Raises:
        DataError: Shape or affine differ by more than a hundredth of a voxel.
    """
    got = apart(scan.grid, mask.grid)
    if got is not None:
        msg = "a mask lies on its scan's grid"
        raise DataError(msg, got=got, mend="resample the mask onto its scan (nearest neighbour)")
