"""One fixed/moving pair in memory, and reading it from a stage."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.points.landmarks import decode_landmarks
from lungreg.formats.volumes import MAX_VOXELS, Volume, decode_mask, decode_scan
from lungreg.formats.volumes.volume import require_same_grid
from lungreg.records import Case
from lungreg.registration.intensity import units_of
from lungreg.registration.lung_segmentation.values import Units
from lungreg.registration.lungs import ScanLungs, find_lungs
from lungreg.registration.padding import shown_voxels
from lungreg.spatial.carrying import PaddedScan
from lungreg.spatial.geometry import FloatArray, Transform
from lungreg.stores import Stage

_FILES_AT_ONCE = 5
_SMALLEST_MM, _WIDEST_MM, _LONGEST_MM = 20.0, 1200.0, 3000.0
"""Of any scan of a patient, with room: beyond, memory or time would not suffice."""
_EVERY = 7
"""Of so many slices one is compared first, which tells two scans apart at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One case in memory: two scans, and the masks and landmarks that there are."""

    case: Case
    fixed: Volume
    """Expiration, values as stored (with the file's offset, if it has one)."""
    moving: Volume
    """Inspiration, values as stored (with the file's offset, if it has one)."""
    fixed_mask: NDArray[Any] | None = None
    """(X, Y, Z) integer labels on the fixed grid, above 0 in the lungs."""
    moving_mask: NDArray[Any] | None = None
    """(U, V, W) integer labels on the moving grid, above 0 in the lungs."""
    landmarks_vox: NDArray[np.float64] | None = None
    """(N, 6) fixed x y z and moving x y z, in voxels of each scan."""

    @property
    def fixed_hu(self) -> NDArray[np.float32]:
        """(X, Y, Z) Hounsfield units of the fixed scan, or a guess at them (`units_of`)."""
        return self.fixed_units.hounsfield(self.fixed.data)

    @property
    def moving_hu(self) -> NDArray[np.float32]:
        """(U, V, W) Hounsfield units of the moving scan, or a guess at them (`units_of`)."""
        return self.moving_units.hounsfield(self.moving.data)

    @cached_property
    def fixed_units(self) -> Units:
        """How the stored values of the fixed scan are read."""
        return units_of(self.fixed, self.case.fixed_hu_offset, self.fixed_mask)

    @cached_property
    def moving_units(self) -> Units:
        """How the stored values of the moving scan are read."""
        return units_of(self.moving, self.case.moving_hu_offset, self.moving_mask)

    # Cached: segmenting takes a third of a second, and alignment, refinement, inverse and metrics
    # all use the lungs.
    @cached_property
    def fixed_lungs(self) -> ScanLungs:
        """The lungs of the fixed scan, from its mask or segmented once."""
        return find_lungs(self.fixed, self.fixed_mask, self.case.fixed_hu_offset)

    @cached_property
    def moving_lungs(self) -> ScanLungs:
        """The lungs of the moving scan, from its mask or segmented once."""
        return find_lungs(self.moving, self.moving_mask, self.case.moving_hu_offset)

    @cached_property
    def fixed_shown(self) -> NDArray[np.bool_] | None:
        """(X, Y, Z) where the fixed scan is no padding; None where it has none."""
        lungs, exact = self.fixed_lungs.inside, self.fixed_units.exact
        return shown_voxels(self.fixed_hu, self.fixed.grid, lungs, exact=exact)

    @cached_property
    def moving_shown(self) -> NDArray[np.bool_] | None:
        """(U, V, W) where the moving scan is no padding; None where it has none."""
        lungs, exact = self.moving_lungs.inside, self.moving_units.exact
        return shown_voxels(self.moving_hu, self.moving.grid, lungs, exact=exact)

    @property
    def fixed_scan(self) -> PaddedScan:
        """Hounsfield units of the fixed scan, and where they show something."""
        return PaddedScan(values=self.fixed_hu, grid=self.fixed.grid, shown=self.fixed_shown)

    @property
    def moving_scan(self) -> PaddedScan:
        """Hounsfield units of the moving scan, and where they show something."""
        return PaddedScan(values=self.moving_hu, grid=self.moving.grid, shown=self.moving_shown)

    @property
    def exchanged(self) -> Pair:
        """The pair from the moving to the fixed scan; lungs that are known already are kept."""
        case = replace(
            self.case,
            fixed=self.case.moving,
            moving=self.case.fixed,
            fixed_mask=self.case.moving_mask,
            moving_mask=self.case.fixed_mask,
            fixed_hu_offset=self.case.moving_hu_offset,
            moving_hu_offset=self.case.fixed_hu_offset,
            landmarks=None,
            displacement=None,
        )
        other = Pair(
            case=case,
            fixed=self.moving,
            moving=self.fixed,
            fixed_mask=self.moving_mask,
            moving_mask=self.fixed_mask,
        )
        # Where cached_property keeps what it found.
        for one, another in (("fixed", "moving"), ("moving", "fixed")):
            for what in ("lungs", "shown", "units"):
                if f"{another}_{what}" in vars(self):
                    vars(other)[f"{one}_{what}"] = vars(self)[f"{another}_{what}"]
        return other

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the two scans together, in words."""
        text = "both scans hold the same values: was one file given twice?"
        return (text,) if self.is_one_scan else ()

    @property
    def is_one_scan(self) -> bool:
        """Whether the two scans hold the same values, wherever their headers place them."""
        fixed, moving = self.fixed.data, self.moving.data
        return np.array_equal(fixed[::_EVERY], moving[::_EVERY]) and np.array_equal(fixed, moving)

    @property
    def fixed_points_ras(self) -> NDArray[np.float64] | None:
        """(N, 3) landmarks of the fixed scan in RAS mm."""
        points = self.landmarks_vox
        return None if points is None else np.asarray(self.fixed.grid.to_world(points[:, :3]))

    @property
    def moving_points_ras(self) -> NDArray[np.float64] | None:
        """(N, 3) landmarks of the moving scan in RAS mm."""
        points = self.landmarks_vox
        return None if points is None else np.asarray(self.moving.grid.to_world(points[:, 3:]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimated:
    """A transform and remarks on how it was found."""

    transform: Transform
    """`T`."""
    notes: tuple[str, ...] = ()
    """Warnings about how it was found; without case ids and paths."""


Estimate = Callable[[Pair, FloatArray], Estimated]
"""Finds the transform `T` of a pair, given the (4, 4) initial alignment `A`."""


def require_size(pair: Pair) -> None:
    """Refuse scans that are not as large as one of a patient may be: a header's spacing is wrong.

    Raises:
        DataError: The middle one of three sides is below 2 cm or above 1.2 m, or one above 3 m.
    """
    for name, scan in (("fixed", pair.fixed), ("moving", pair.moving)):
        sides_mm = scan.grid.spacing_mm * np.array(scan.grid.shape)
        _, middle, longest = sorted(sides_mm)
        if middle < _SMALLEST_MM or middle > _WIDEST_MM or longest > _LONGEST_MM:
            msg = f"the {name} scan is as large as a chest, 100 to 1000 mm"
            got = f"{' x '.join(f'{side:.4g}' for side in sides_mm)} mm"
            raise DataError(msg, got=got, mend="correct the spacing in its header, or its unit")


def read_pair(stage: Stage, case: Case, *, max_voxels: int = MAX_VOXELS) -> Pair:
    """Read one case from the stage.

    Args:
        stage: Where the case's files are.
        case: Names of the files.
        max_voxels: Largest scan or mask that is unpacked.

    Raises:
        DataError: A file is unreadable, or a mask is not on its scan's grid.
        UnsafeInputError: A file holds more voxels than allowed.
        NotFoundError: A file is missing.
    """
    try:
        return _read_pair(stage, case, max_voxels)
    except DataError as error:
        if error.where is None:
            error.where = case.case_id
        raise


def _read_pair(stage: Stage, case: Case, max_voxels: int) -> Pair:
    scan = partial(decode_scan, max_voxels=max_voxels)
    mask = partial(decode_mask, max_voxels=max_voxels)
    # All files at once: a remote stage answers slowly, and unpacking can use the other cores.
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        fixed, moving = (pool.submit(_read, stage, scan, x) for x in (case.fixed, case.moving))
        masks = [pool.submit(_read, stage, mask, x) for x in (case.fixed_mask, case.moving_mask)]
        points = pool.submit(_read, stage, decode_landmarks, case.landmarks)
    volumes: tuple[Volume, Volume] = fixed.result(), moving.result()
    return Pair(
        case=case,
        fixed=volumes[0],
        moving=volumes[1],
        fixed_mask=_labels(masks[0].result(), volumes[0]),
        moving_mask=_labels(masks[1].result(), volumes[1]),
        landmarks_vox=points.result(),
    )


def _read(stage: Stage, decode: Callable[[bytes], Any], name: str | None) -> Any:
    return None if name is None else decode(stage.read(name))


def _labels(mask: Volume | None, scan: Volume) -> NDArray[Any] | None:
    if mask is None:
        return None
    require_same_grid(scan, mask)
    labels: NDArray[Any] = mask.data
    return labels
