"""Checks of a pair's contents: masks, intensities and landmarks, for a cohort or a single pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lungreg.errors import DataError
from lungreg.formats.volumes import Volume, hu_offset
from lungreg.formats.volumes.volume import require_same_grid
from lungreg.registration.scan_size import extent_text, is_chest_sized
from lungreg.spatial.geometry import Grid
from lungreg.spatial.slabs import slabs

MOST_LABELS = 128
"""Lungs, lobes, segments or all organs of a body are fewer; the grey values of a scan are more."""

_OFF_LANDMARKS_MM, _OFF_LANDMARKS = 3.0, 0.2
"""What landmarks and a true displacement may differ by: in mm, and as a share of the motion."""
_CHUNK = 1 << 20
"""Voxels whose labels are counted at once."""


@dataclass(frozen=True, kw_only=True)
class PairWarning:
    """Something odd about a pair that does not stop it; without case ids and paths."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


@contextmanager
def errors_about(what: str) -> Iterator[None]:
    """Put the name of a file in front of the rule of every `DataError` raised inside.

    Args:
        what: Such as "fixed scan"; no case id and no path, since it is stored with the rule.
    """
    try:
        yield
    except DataError as error:
        error.rule = f"{what}: {error.rule}"
        raise


def check_mask(mask: Volume, scan: Volume) -> None:
    """Refuse a mask that cannot be of this scan's lungs.

    Raises:
        DataError: It lies on another grid, is empty or full, or holds grey values.
    """
    require_same_grid(scan, mask)
    share = float((mask.data > 0).mean())
    if share in (0.0, 1.0):
        msg = "a lung mask is neither empty nor full"
        raise DataError(msg, got="full" if share else "empty", mend="segment the scan again")
    labels = _count_labels(mask.data)
    if labels > MOST_LABELS:
        msg = f"a mask holds at most {MOST_LABELS} different labels"
        raise DataError(msg, got=labels, mend="give the scan's mask, not the scan")


def check_units(
    role: str, scan: Volume, mask: NDArray[Any] | None
) -> tuple[float, tuple[PairWarning, ...]]:
    """The offset of a scan's stored values from Hounsfield units, and a warning if they look odd.

    Args:
        role: "fixed" or "moving".
        scan: Its values as stored.
        mask: (X, Y, Z) its lungs, positive inside.

    Returns:
        HU = stored value - offset: 0, 1000 or 1024; and no warning or one.
    """
    units = hu_offset(scan.data, mask)
    if not units.plausible:
        text = f"the {role} scan does not look like Hounsfield units"
        if units.beside_lungs:
            text += ", or most of its mask does not lie in the lungs"
        return units.offset, (PairWarning(code="implausible_hu", text=text),)
    if units.cut_at_hu is not None:
        text = (
            f"the values of the {role} scan are cut off at {units.cut_at_hu:.0f} HU, so that lung "
            "and air look alike"
        )
        return units.offset, (PairWarning(code="windowed_hu", text=text),)
    return units.offset, ()


def check_extent(role: str, scan: Volume) -> tuple[PairWarning, ...]:
    """Warn of a scan that is too small or too large for a chest: its spacing may be wrong.

    Args:
        role: "fixed" or "moving".
        scan: On its grid in mm.
    """
    if is_chest_sized(scan.grid):
        return ()
    sides = extent_text(scan.grid)
    text = f"the {role} scan is {sides} mm large, a chest 100 to 1000: is its spacing right?"
    return (PairWarning(code="implausible_extent", text=text),)


def header_warnings(name: str, volume: Volume) -> tuple[PairWarning, ...]:
    """What was put right or is odd about the header of a file.

    Args:
        name: Such as "fixed scan".
        volume: As it was read.
    """
    return tuple(PairWarning(code=x.code, text=f"{name}: {x.text}") for x in volume.remarks)


def check_landmarks(
    points: NDArray[np.float64], fixed: Grid, moving: Grid
) -> tuple[PairWarning, ...]:
    """Warn of landmarks (N, 6), in voxels of each scan, that lie outside their scan.

    Raises:
        DataError: Most of them do: they are given in another frame.
    """
    inside = fixed.contains(fixed.to_world(points[:, :3]))
    inside &= moving.contains(moving.to_world(points[:, 3:]))
    lost = int((~inside).sum())
    if lost > len(points) / 2:
        msg = "landmarks lie inside their scans, in voxels of each"
        mend = "convert them from mm to voxels (from 0)"
        raise DataError(msg, got=f"{lost} of {len(points)} outside", mend=mend)
    text = f"landmarks outside their scan: {lost} of {len(points)}"
    return (PairWarning(code="landmarks_outside", text=text),) if lost else ()


def check_displacement(
    points: NDArray[np.float64], displacement_mm: NDArray[np.float32], fixed: Grid, moving: Grid
) -> tuple[PairWarning, ...]:
    """Warn of a true displacement that does not lead landmarks to their partners.

    Args:
        points: (N, 6) landmarks in voxels of each scan.
        displacement_mm: (3, X, Y, Z) `T(x) - x` on the fixed grid, RAS mm.
        fixed: Grid of the fixed scan.
        moving: Grid of the moving scan.
    """
    there = fixed.contains(fixed.to_world(points[:, :3]))
    start, end = fixed.to_world(points[there, :3]), moving.to_world(points[there, 3:])
    if not len(start):
        return ()
    where = points[there, :3].T
    led = np.stack([map_coordinates(part, where, order=1) for part in displacement_mm], axis=1)
    off_mm = float(np.linalg.norm(start + led - end, axis=1).mean())
    apart_mm = float(np.linalg.norm(start - end, axis=1).mean())
    if off_mm <= max(_OFF_LANDMARKS_MM, _OFF_LANDMARKS * apart_mm):
        return ()
    text = (
        f"the true displacement ends {off_mm:.1f} mm from the landmarks' partners, which are "
        f"{apart_mm:.1f} mm away without it: is it from fixed to moving, in mm and in LPS?"
    )
    return (PairWarning(code="displacement_off_landmarks", text=text),)


def _count_labels(labels: NDArray[Any]) -> int:
    """How many different labels a mask holds.

    In the order of memory and without sorting: either takes seconds for a large scan.
    """
    seen = np.zeros(int(labels.max()) + 1, dtype=bool)
    in_memory = labels.ravel(order="K")
    for start, stop in slabs(in_memory.shape, _CHUNK):
        seen[in_memory[start:stop]] = True
    return int(seen.sum())
