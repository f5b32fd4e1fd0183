"""One pair given by paths on this machine, for `register` and `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lungreg.formats.volumes import MAX_VOXELS
from lungreg.registration.pair import Pair
from lungreg.sources.pair_loading import FILE_NAMES, load_pair
from lungreg.sources.source_case import SourceCase

_OPTION_NAMES: Mapping[str, str] = {
    **FILE_NAMES,
    "fixed_mask": "--fixed-mask",
    "moving_mask": "--moving-mask",
    "landmarks": "--landmarks",
}
"""What errors call the files, by role: options of `lungreg register` where there are some."""


PathLike = str | os.PathLike[str]
"""A path as text or as an object."""


@dataclass(frozen=True, init=False)
class PairFiles:
    """Where the files of one pair lie on this machine; given as text or paths, kept as paths.

    pair = lungreg.PairFiles(fixed="exp.nii.gz", moving="insp.nii.gz")
    """

    fixed: Path
    """Expiration: NIfTI, MetaImage, NRRD, or a folder with a DICOM series."""
    moving: Path
    """Inspiration: NIfTI, MetaImage, NRRD, or a folder with a DICOM series."""
    fixed_mask: Path | None = None
    """Lungs of the fixed scan, positive inside."""
    moving_mask: Path | None = None
    """Lungs of the moving scan, positive inside."""
    landmarks: Path | None = None
    """CSV of six columns, fixed x y z then moving x y z, in voxels of each scan."""

    # Written out, since the one that a dataclass makes would have a type checker refuse text.
    def __init__(
        self,
        *,
        fixed: PathLike,
        moving: PathLike,
        fixed_mask: PathLike | None = None,
        moving_mask: PathLike | None = None,
        landmarks: PathLike | None = None,
    ) -> None:
        given = {
            "fixed": fixed,
            "moving": moving,
            "fixed_mask": fixed_mask,
            "moving_mask": moving_mask,
            "landmarks": landmarks,
        }
        for role, path in given.items():
            object.__setattr__(self, role, None if path is None else Path(path))


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPair:
    """One pair in memory, and remarks on its files."""

    pair: Pair
    notes: tuple[str, ...]
    """What is odd about the files; no paths."""


def read_pair_files(files: PairFiles, case_id: str, *, max_voxels: int = MAX_VOXELS) -> ReadPair:
    """Read and check one pair, as `ingest` does.

    Args:
        files: Paths of the pair's files.
        case_id: Names the pair in records.
        max_voxels: Most voxels of a scan or mask that is unpacked.

    Raises:
        MissingFileError: A file is not there.
        DataError: A file is unreadable, no chest CT or no mask of its scan's lungs, or most
            landmarks lie outside their scan.
    """
    source = SourceCase(
        case_id=case_id,
        fixed=files.fixed,
        moving=files.moving,
        fixed_mask=files.fixed_mask,
        moving_mask=files.moving_mask,
        landmarks=() if files.landmarks is None else (files.landmarks,),
    )
    loaded = load_pair(source, max_voxels=max_voxels, names=_OPTION_NAMES)
    notes = [warning.text for warning in loaded.warnings]
    return ReadPair(pair=loaded.pair, notes=(*notes, *_one_mask(files)))


def _one_mask(files: PairFiles) -> list[str]:
    if (files.fixed_mask is None) == (files.moving_mask is None):
        return []
    given = "moving" if files.fixed_mask is None else "fixed"
    return [f"Dice and HD95 need the masks of both scans: only that of the {given} one is given"]
