"""The layout of Learn2Reg: an index in JSON, beside the folders of images, masks and points."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from lungreg.config import Ingest
from lungreg.errors import DataError, MissingFileError, UnreadableFileError, UnsafeInputError
from lungreg.sources.layouts.folders import find_root, visible
from lungreg.sources.source_case import (
    FIXED,
    FIXED_MASK,
    MOVING,
    MOVING_MASK,
    SourceCase,
    build_cases,
)

_INDEX = re.compile(r"(.*_)?dataset\.json", re.IGNORECASE)
_LISTS = ("training_paired_images", "registration_val", "registration_test")
_NAME = re.compile(r"(?P<case_id>.+?)(_\d{4})?\.nii(\.gz)?", re.DOTALL)
_LANDMARK_FOLDERS = ("landmarks", "keypoints")
"""Points set by people come before those found by a program."""
_MAX_INDEX_BYTES = 2**26


def list_learn2reg(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Cases of a `LungCT_dataset.json`, with masks and points in the folders beside the images.

    Raises:
        DataError: No such index, not JSON, or one that lists no pairs.
    """
    rule = "layout 'learn2reg' has LungCT_dataset.json beside imagesTr"
    root = find_root(folder, lambda place: len(_indexes(place)) > 0, rule)
    indexes = _indexes(root)
    if len(indexes) > 1:
        raise DataError(rule, got=f"{len(indexes)} indexes", mend="keep one", where=root)
    pairs = _read_index(indexes[0])
    cases: dict[str, list[SourceCase]] = defaultdict(list)
    for fixed, moving in pairs:
        case = _case(root, fixed, moving)
        cases[case.case_id].append(case)
    if not cases:
        raise DataError(rule + ", which lists pairs", got="none", where=indexes[0])
    return [_only(case_id, found) for case_id, found in sorted(cases.items())]


def _indexes(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if _INDEX.fullmatch(path.name)]


def _read_index(path: Path) -> list[tuple[str, str]]:
    try:
        if path.stat().st_size > _MAX_INDEX_BYTES:
            msg = f"the index of a dataset has at most {_MAX_INDEX_BYTES} bytes"
            raise UnsafeInputError(msg, got=path.stat().st_size, where=path)
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        msg = "the index of a dataset is JSON"
        raise UnreadableFileError(msg, got="something else", where=path) from error
    try:
        listed = [pair for key in _LISTS for pair in content.get(key, [])]
        pairs = [(_text(pair["fixed"]), _text(pair["moving"])) for pair in listed]
    except (AttributeError, KeyError, TypeError) as error:
        msg = f"an index lists pairs of 'fixed' and 'moving' under {', '.join(_LISTS)}"
        raise DataError(msg, got="something else", where=path) from error
    return list(dict.fromkeys(pairs))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _case(root: Path, fixed: str, moving: str) -> SourceCase:
    match = _NAME.fullmatch(PurePosixPath(fixed).name)
    case_id = match["case_id"] if match else PurePosixPath(fixed).name
    names = [PurePosixPath(name) for name in (fixed, moving)]
    if any(name.is_absolute() or ".." in name.parts for name in names) or not case_id:
        msg = "an index names files inside its folder"
        problem = UnsafeInputError(msg, got="a path that leaves it", where=case_id)
        return SourceCase(case_id=case_id, problems=(problem,))
    files: dict[str, list[Path]] = {
        role: [root / name] if _exists(root / name) else []
        for role, name in zip((FIXED, MOVING), names, strict=True)
    }
    for role, name in zip((FIXED_MASK, MOVING_MASK), names, strict=True):
        mask = _beside(root, name, "masks", name.name)
        files[role] = [mask] if _exists(mask) else []
    (case,) = build_cases({case_id: files}, (FIXED, MOVING))
    return _with_points(case, root, names)


def _with_points(case: SourceCase, root: Path, names: list[PurePosixPath]) -> SourceCase:
    for kind in _LANDMARK_FOLDERS:
        stems = [name.name.removesuffix(".gz").removesuffix(".nii") for name in names]
        paths = [
            _beside(root, name, kind, f"{stem}.csv")
            for name, stem in zip(names, stems, strict=True)
        ]
        there = [path for path in paths if _exists(path)]
        if len(there) == len(paths):
            return replace(case, landmarks=tuple(there))
        if there:
            msg = "landmarks are given for both scans of a case, or for none"
            warning = MissingFileError(msg, got="one file", where=case.case_id)
            case = replace(case, warnings=(*case.warnings, warning))
    return case


def _beside(root: Path, image: PurePosixPath, kind: str, name: str) -> Path:
    """The file beside an image: imagesTr/a.nii.gz has its mask at masksTr/a.nii.gz."""
    folder = image.parent
    named = folder.name.replace("images", kind, 1) if "images" in folder.name else kind
    return root / folder.parent / named / name


def _exists(path: Path) -> bool:
    """Whether a file exists; False for a name that no file system allows."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _only(case_id: str, found: list[SourceCase]) -> SourceCase:
    if len(found) == 1:
        return found[0]
    msg = "a case is listed once"
    problem = DataError(
        msg, got=len(found), mend="keep one pair for each fixed scan", where=case_id
    )
    return replace(found[0], problems=(*found[0].problems, problem))
