"""The files of one case in a source: found by a layout, not yet opened."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import (
    DataError,
    LungregError,
    MissingFileError,
    UnsafeInputError,
)
from lungreg.formats.local_files import read_file
from lungreg.formats.points.landmarks import LANDMARK_COLUMNS, decode_landmarks
from lungreg.records import counted
from lungreg.stores import check_name

FIXED, MOVING = "fixed", "moving"
FIXED_MASK, MOVING_MASK = "fixed_mask", "moving_mask"
LANDMARKS = "landmarks"
DISPLACEMENT = "displacement"
_LONGEST_SUFFIX = "_insp.nii.gz"
_FORBIDDEN_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_MAX_LANDMARK_BYTES = 2**26

Files = Mapping[str, Mapping[str, list[Path]]]
"""By case id and role, all files found for it."""


@dataclass(frozen=True, kw_only=True)
class SourceCase:
    """One fixed/moving pair of a source."""

    case_id: str
    group: str | None = None
    """The patient, where the names of the files say so."""
    fixed: Path | None = None
    """Expiration scan, a file or a folder of DICOM files; None only with a problem."""
    moving: Path | None = None
    """Inspiration scan, a file or a folder of DICOM files; None only with a problem."""
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    landmarks: tuple[Path, ...] = ()
    """None, one CSV of six columns (fixed xyz, moving xyz), or one of three for each scan."""
    displacement: Path | None = None
    """NIfTI vectors of the true `T(x) - x`, LPS mm, on the fixed scan's grid."""
    problems: tuple[LungregError, ...] = ()
    """Why the case is rejected."""
    warnings: tuple[LungregError, ...] = ()
    """What is left out of it, such as half a pair of landmark files."""


def summarise(cases: Sequence[SourceCase]) -> str:
    """How many pairs there are, and how many with masks and landmarks, for people."""
    masks = sum(case.fixed_mask is not None and case.moving_mask is not None for case in cases)
    points = sum(bool(case.landmarks) for case in cases)
    return f"{counted(len(cases), 'pair')}, {masks} with masks, {points} with landmarks"


def load_landmarks(case: SourceCase) -> NDArray[np.float64] | None:
    """The landmarks of a case (N, 6), fixed xyz then moving xyz as written, or None.

    Raises:
        DataError: Not a list of points, or lists of different length for the two scans.
        UnreadableFileError: A file that cannot be read.
        UnsafeInputError: A file of more than 64 MB.
    """
    if not case.landmarks:
        return None
    columns = LANDMARK_COLUMNS // len(case.landmarks)
    parts = [_read_points(path, columns) for path in case.landmarks]
    if len({len(part) for part in parts}) != 1:
        msg = "both scans have the same number of landmarks"
        raise DataError(msg, got=[len(part) for part in parts], where=case.case_id)
    return np.concatenate(parts, axis=1)


def build_cases(files: Files, roles: Iterable[str]) -> list[SourceCase]:
    """One case for each id that has a scan, with its problems, ordered by id."""
    return [
        _build_case(case_id, found, tuple(roles))
        for case_id, found in sorted(files.items())
        if FIXED in found or MOVING in found
    ]


def check_case_id(case_id: str) -> str:
    """Return the id if files and folders of a stage may be named after it.

    Raises:
        DataError: It may not, and why.
    """
    if any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in case_id):
        msg = "a case id holds no line break and no control character"
        raise DataError(msg, mend="rename the files", where=repr(case_id))
    if not case_id.strip() or "/" in case_id:
        msg = "a case id is a name without slashes"
        raise DataError(msg, mend="rename the files", where=repr(case_id))
    check_name(case_id)
    check_name(case_id + _LONGEST_SUFFIX)
    return case_id


def _build_case(
    case_id: str, found: Mapping[str, list[Path]], roles: tuple[str, ...]
) -> SourceCase:
    problems: list[LungregError] = []
    try:
        check_case_id(case_id)
    except DataError as error:
        problems.append(error)
    for role in roles:
        paths = found.get(role, [])
        if len(paths) > 1:
            msg = f"a case has one file as {role}"
            names = ", ".join(path.name for path in paths[:3])
            mend = "keep one of them"
            problems.append(DataError(msg, got=len(paths), mend=mend, where=f"{case_id}: {names}"))
        if not paths and role in (FIXED, MOVING):
            breath = "expiration (fixed)" if role == FIXED else "inspiration (moving)"
            msg = f"a case has a scan of {breath}"
            problems.append(MissingFileError(msg, got="none", where=case_id))
    first = {role: paths[0] for role, paths in found.items() if paths}
    return SourceCase(
        case_id=case_id,
        fixed=first.get(FIXED),
        moving=first.get(MOVING),
        fixed_mask=first.get(FIXED_MASK),
        moving_mask=first.get(MOVING_MASK),
        landmarks=tuple(found.get(LANDMARKS, [])[:1]),
        displacement=first.get(DISPLACEMENT),
        problems=tuple(problems),
    )


def _read_points(path: Path, columns: int) -> NDArray[np.float64]:
    try:
        size = path.stat().st_size if path.is_file() else 0
        if size > _MAX_LANDMARK_BYTES:
            msg = f"a file of landmarks has at most {_MAX_LANDMARK_BYTES} bytes"
            raise UnsafeInputError(msg, got=size)
        return decode_landmarks(read_file(path), columns=columns)
    except DataError as error:
        error.where = path
        raise
