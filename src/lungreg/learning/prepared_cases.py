"""Read cases as network input, with a cache on the node's disk between epochs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.config import Preprocessing
from lungreg.errors import DataError
from lungreg.formats.transforms import decode_true_displacement
from lungreg.formats.volumes import MAX_VOXELS
from lungreg.learning.preprocessing import PreparedPair, prepare_pair
from lungreg.records import Case
from lungreg.registration.alignment import align
from lungreg.registration.pair import read_pair
from lungreg.spatial.geometry import Grid
from lungreg.stores import Stage

_TENSORS = (
    *("fixed", "moving", "fixed_mask", "moving_mask"),
    *("fixed_points_vox", "moving_points_vox", "true_displacement_mm"),
)
_LEFT_BEHIND_S = 24 * 3600
"""A cache that nothing has used for so long is nobody's any more."""


def prepare_case(
    stage: Stage,
    case: Case,
    settings: Preprocessing,
    *,
    max_voxels: int = MAX_VOXELS,
    with_displacement: bool = False,
) -> PreparedPair:
    """Read a case, align it and carry it onto the network's grid.

    Args:
        stage: Where the case's files are.
        case: Names of the files.
        settings: Alignment, window and size.
        max_voxels: Largest number of voxels of a file that is unpacked.
        with_displacement: Read the true displacement too, where the case has one.

    Raises:
        LungregError: A file is missing, unreadable or too large.
    """
    pair = read_pair(stage, case, max_voxels=max_voxels)
    truth = (
        _true_displacement(stage, case, pair.fixed.grid, max_voxels) if with_displacement else None
    )
    affine = align(pair, settings.hu_window, settings.alignment).affine
    return prepare_pair(pair, affine, settings, true_displacement_mm=truth)


@dataclass(frozen=True, kw_only=True)
class PreparedCases:
    """Prepared cases, each read from the stage once per node while the cache has room.

    The cache is a private folder that all workers of a node share: memory does not grow with the
    number of cases, and the operating system keeps in memory what it can.
    """

    stage: Stage
    settings: Preprocessing
    cache_gb: float
    """Largest size of the folder, GB; a case that does not fit is prepared again each time."""
    name: str
    """Part of the folder's name; the workers of one run use the same."""
    max_voxels: int = MAX_VOXELS
    """Largest number of voxels of a scan or mask; a larger file is refused unread."""
    with_displacement: bool = False
    """Whether the true displacements are prepared too: they are as large as all else together."""

    @property
    def folder(self) -> Path:
        """The folder of the cache, in the system's temporary folder."""
        return Path(tempfile.gettempdir()) / f"{_prefix()}{self.name}"

    def load(self, case: Case) -> PreparedPair:
        """The case as the network sees it, from the cache or the stage."""
        file = self.folder / f"{self._key(case)}.npz"
        try:
            pair = _read(file)
        except (OSError, ValueError, EOFError, KeyError, BadZipFile, DataError):
            pair = prepare_case(
                self.stage,
                case,
                self.settings,
                max_voxels=self.max_voxels,
                with_displacement=self.with_displacement,
            )
            self._keep(file, pair)
        with suppress(OSError):
            os.utime(self.folder)  # in use: no leftover
        return pair

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Delete this user's other caches on this node that nothing has used for a day.

        Workers that are killed leave theirs, and the process that began them may be elsewhere.
        """
        oldest = time.time() - _LEFT_BEHIND_S
        for folder in Path(tempfile.gettempdir()).glob(f"{_prefix()}*"):
            with suppress(OSError):
                old = folder.lstat().st_mtime < oldest
                if old and folder != self.folder and _is_private(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    def _key(self, case: Case) -> str:
        settings = self.settings.model_dump_json(exclude={"augmentation"})
        named = f"{dataclasses.astuple(case)}{settings}{self.with_displacement}"
        return hashlib.sha256(named.encode()).hexdigest()

    def _keep(self, file: Path, pair: PreparedPair) -> None:
        arrays = _arrays(pair)
        size = sum(array.nbytes for array in arrays.values())
        partial = file.with_suffix(f".{os.getpid()}.partial")
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            used = sum(entry.stat().st_size for entry in self.folder.glob("*.npz"))
            if used + size > self.cache_gb * 1e9 or not _is_private(self.folder):
                return
            with partial.open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub: bool keyword
            partial.replace(file)
        except OSError:
            # Without a cache, say on a full disk, cases are prepared again each time.
            with suppress(OSError):
                partial.unlink()


def _prefix() -> str:
    """How the names of this user's caches begin."""
    return f"lungreg-{os.getuid()}-"


def _is_private(folder: Path) -> bool:
    """Whether a folder is this user's own: its name can be guessed on a shared machine."""
    status = folder.lstat()
    is_open = stat.S_IMODE(status.st_mode) & 0o077
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not is_open


def _true_displacement(
    stage: Stage, case: Case, grid: Grid, max_voxels: int
) -> NDArray[np.float32] | None:
    if case.displacement is None:
        return None
    try:
        return decode_true_displacement(stage.read(case.displacement), grid, max_voxels=max_voxels)
    except DataError as error:
        error.where = error.where or case.case_id
        raise


def _arrays(pair: PreparedPair) -> dict[str, NDArray[Any]]:
    tensors = {name: getattr(pair, name) for name in _TENSORS}
    arrays = {name: value.numpy() for name, value in tensors.items() if value is not None}
    return {
        **arrays,
        **_grid_arrays("grid", pair.grid),
        **({} if pair.moving_grid is None else _grid_arrays("moving_grid", pair.moving_grid)),
        "affine": np.asarray(pair.affine),
    }


def _grid_arrays(name: str, grid: Grid) -> dict[str, NDArray[Any]]:
    return {f"{name}_shape": np.array(grid.shape), f"{name}_affine": np.asarray(grid.affine)}


def _grid(name: str, arrays: Mapping[str, NDArray[Any]]) -> Grid:
    nx, ny, nz = (int(n) for n in arrays[f"{name}_shape"])
    return Grid(shape=(nx, ny, nz), affine=arrays[f"{name}_affine"])


def _read(file: Path) -> PreparedPair:
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        tensors = {
            name: torch.from_numpy(arrays[name]) if name in arrays else None for name in _TENSORS
        }
        return PreparedPair(
            grid=_grid("grid", arrays),
            affine=arrays["affine"],
            moving_grid=_grid("moving_grid", arrays) if "moving_grid_shape" in arrays else None,
            **tensors,  # type: ignore[arg-type]  # fixed and moving are always there
        )
