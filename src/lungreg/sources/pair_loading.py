"""Read and check the files of one pair: the one loader of `ingest`, `register` and `evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import LungregError, MissingFileError
from lungreg.formats.local_files import read_file
from lungreg.formats.volumes import Volume, check_scan, read_volume
from lungreg.records import Case
from lungreg.registration.pair import Pair
from lungreg.sources.pair_checks import (
    PairWarning,
    check_displacement,
    check_extent,
    check_landmarks,
    check_mask,
    check_units,
    errors_about,
    header_warnings,
)
from lungreg.sources.slice_checks import check_slices
from lungreg.sources.source_case import SourceCase, load_landmarks
from lungreg.spatial.geometry import Grid

FILE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "fixed": "fixed scan",
        "moving": "moving scan",
        "fixed_mask": "fixed mask",
        "moving_mask": "moving mask",
        "landmarks": "landmarks",
        "displacement": "displacement",
    }
)
"""What errors call the files of a pair, by role."""
_SIDES = ("fixed", "moving")


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedPair:
    """One pair from its files, checked."""

    pair: Pair
    """The case in memory; the names of its files on a stage are empty."""
    volumes: Mapping[str, Volume]
    """By role, the scans and the masks that there are, as their files hold them."""
    displacement_mm: NDArray[np.float32] | None
    """(3, X, Y, Z) the true `T(x) - x` on the fixed grid, RAS mm, where its file is given."""
    warnings: tuple[PairWarning, ...]
    """What is odd about the files and does not stop the pair."""


def load_pair(
    source: SourceCase, *, max_voxels: int, names: Mapping[str, str] = FILE_NAMES
) -> LoadedPair:
    """Read the files of a pair, check them, and find the offset of its scans.

    Args:
        source: Where the files are.
        max_voxels: Most voxels of a scan or mask that is unpacked.
        names: What errors call the files, by role.

    Raises:
        MissingFileError: A file is not there.
        UnsafeInputError: A scan or mask has more voxels than allowed.
        DataError: A file is unreadable, constant or not finite, a mask is not of its scan's lungs,
            most landmarks lie outside their scan, or a displacement is not on the fixed grid.
    """
    reader = _Reader(source, max_voxels, names)
    volumes = {side: reader.scan(side) for side in _SIDES}
    for side in _SIDES:
        mask = reader.mask(f"{side}_mask", volumes[side])
        if mask is not None:
            volumes[f"{side}_mask"] = mask
    labels = {f"{side}_mask": _labels(volumes.get(f"{side}_mask")) for side in _SIDES}
    units = {side: check_units(side, volumes[side], labels[f"{side}_mask"]) for side in _SIDES}
    points, odd_points = reader.landmarks(volumes)
    case = Case(
        case_id=source.case_id,
        fixed="",
        moving="",
        fixed_hu_offset=units["fixed"][0],
        moving_hu_offset=units["moving"][0],
    )
    pair = Pair(
        case=case,
        fixed=volumes["fixed"],
        moving=volumes["moving"],
        fixed_mask=labels["fixed_mask"],
        moving_mask=labels["moving_mask"],
        landmarks_vox=points,
    )
    of_headers = (header_warnings(names[role], volume) for role, volume in volumes.items())
    of_extents = (check_extent(side, volumes[side]) for side in _SIDES)
    of_slices = (check_slices(side, volumes[side]) for side in _SIDES)
    warnings = (
        *(warning for found in (*of_headers, *of_extents, *of_slices) for warning in found),
        *units["fixed"][1],
        *units["moving"][1],
        *_one_scan(pair),
        *odd_points,
    )
    truth = reader.displacement(volumes["fixed"].grid)
    if truth is not None and points is not None:
        warnings += check_displacement(points, truth, pair.fixed.grid, pair.moving.grid)
    return LoadedPair(pair=pair, volumes=volumes, displacement_mm=truth, warnings=warnings)


@dataclass(frozen=True)
class _Reader:
    """Reads the files of one pair; its errors name role and path."""

    source: SourceCase
    max_voxels: int
    names: Mapping[str, str]

    def scan(self, role: str) -> Volume:
        path = self.path(role)
        if path is None:
            msg = f"a case has a {role} scan"
            raise MissingFileError(msg, where=self.source.case_id)
        with self.errors(role, path):
            volume = read_volume(path, max_voxels=self.max_voxels)
            check_scan(volume)
        return volume

    def mask(self, role: str, scan: Volume) -> Volume | None:
        path = self.path(role)
        if path is None:
            return None
        with self.errors(role, path):
            mask = read_volume(path, mask=True, max_voxels=self.max_voxels)
            check_mask(mask, scan)
        return mask

    def landmarks(
        self, volumes: Mapping[str, Volume]
    ) -> tuple[NDArray[np.float64] | None, tuple[PairWarning, ...]]:
        if not self.source.landmarks:
            return None, ()
        with self.errors("landmarks", self.source.landmarks[0]):
            points = load_landmarks(self.source)
            if points is None:
                return None, ()
            return points, check_landmarks(points, volumes["fixed"].grid, volumes["moving"].grid)

    def displacement(self, fixed: Grid) -> NDArray[np.float32] | None:
        path = self.path("displacement")
        if path is None:
            return None
        # Loads torch, which commands that read no such file do without.
        from lungreg.formats.transforms import decode_true_displacement

        with self.errors("displacement", path):
            return decode_true_displacement(read_file(path), fixed, max_voxels=self.max_voxels)

    def path(self, role: str) -> Path | None:
        found: Path | None = getattr(self.source, role)
        return found

    @contextmanager
    def errors(self, role: str, path: Path) -> Iterator[Any]:
        try:
            with errors_about(self.names[role]):
                yield
        except LungregError as error:
            error.where = error.where or path
            raise


def _one_scan(pair: Pair) -> tuple[PairWarning, ...]:
    """A warning where the file of one scan stands for the other too."""
    return tuple(PairWarning(code="one_scan", text=text) for text in pair.notes)


def _labels(mask: Volume | None) -> NDArray[Any] | None:
    return None if mask is None else np.asarray(mask.data)
