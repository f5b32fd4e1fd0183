"""The two published layouts: the Zenodo record's and Learn2Reg's."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from lungreg.errors import DataError, MissingFileError, UnreadableFileError, UnsafeInputError
from lungreg.sources.case import (
    FIXED,
    FIXED_MASK,
    LANDMARKS,
    MOVING,
    MOVING_MASK,
    SourceCase,
    build_cases,
    is_ignored,
)

_log = logging.getLogger(__name__)

_ZENODO_NAME = re.compile(r"(?P<case_id>.+)_(?P<breath>exp|insp)\.nii(\.gz)?", re.DOTALL)
_ZENODO_ROLES = {"exp": FIXED, "insp": MOVING}
_ZENODO_MASKS = {"exp": FIXED_MASK, "insp": MOVING_MASK}
_LANDMARK_FOLDERS = ("landmarks", "keypoints")
"""Points set by people come before those found by a program."""
_L2R_INDEX = re.compile(r"(.*_)?dataset\.json", re.IGNORECASE)
_L2R_LISTS = ("training_paired_images", "registration_val", "registration_test")
_L2R_NAME = re.compile(r"(?P<case_id>.+?)(_\d{4})?\.nii(\.gz)?", re.DOTALL)
_MAX_INDEX_BYTES = 2**26
_MAX_DEPTH = 3
_SHOWN = 8


def list_zenodo(folder: Path) -> list[SourceCase]:
    """Cases of `scans/CASE_exp.nii.gz`, `CASE_insp.nii.gz`, `lungMasks/`, `keypoints/CASE.csv`.

    Raises:
        DataError: No scan of such a name.
    """
    rule = "layout 'zenodo' has scans/CASE_exp.nii.gz and scans/CASE_insp.nii.gz"
    root = find_root(folder, lambda place: (place / "scans").is_dir(), rule)
    files = _zenodo_images(root)
    for name in _LANDMARK_FOLDERS:
        for path in _visible(root / name):
            if path.suffix == ".csv" and not files[path.stem][LANDMARKS]:
                files[path.stem][LANDMARKS].append(path)
    cases = build_cases(files, (FIXED, MOVING, FIXED_MASK, MOVING_MASK))
    if not cases:
        raise nothing_found(root / "scans", rule)
    return cases


def list_learn2reg(folder: Path) -> list[SourceCase]:
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
        case = _learn2reg_case(root, fixed, moving)
        cases[case.case_id].append(case)
    if not cases:
        raise DataError(rule + ", which lists pairs", got="none", where=indexes[0])
    return [_only(case_id, found) for case_id, found in sorted(cases.items())]


def find_root(folder: Path, is_root: Callable[[Path], bool], rule: str) -> Path:
    """The folder itself, or the one folder below it, up to three levels, that is a root.

    Raises:
        DataError: None, or several.
    """
    level = [folder]
    for _ in range(_MAX_DEPTH + 1):
        roots = [place for place in level if is_root(place)]
        if len(roots) > 1:
            names = ", ".join(place.name for place in roots[:_SHOWN])
            mend = "give one of them as ingest.source"
            raise DataError(rule, got=f"{len(roots)} such folders", mend=mend, where=names)
        if roots:
            return roots[0]
        level = [path for place in level for path in _visible(place) if path.is_dir()]
    raise nothing_found(folder, rule)


def nothing_found(folder: Path, rule: str) -> DataError:
    """The error of a folder without a case: what was looked for and what is there."""
    there = [path.name + "/" * path.is_dir() for path in _visible(folder)]
    more = ", ..." if len(there) > _SHOWN else ""
    where = f"{folder} (holds {', '.join(there[:_SHOWN]) + more if there else 'nothing'})"
    mend = "check ingest.source and ingest.layout"
    return DataError(rule, got="no such file", mend=mend, where=where)


def _zenodo_images(root: Path) -> dict[str, dict[str, list[Path]]]:
    files: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    n_others = 0
    for name, roles in (("scans", _ZENODO_ROLES), ("lungMasks", _ZENODO_MASKS)):
        for path in _visible(root / name):
            if match := _ZENODO_NAME.fullmatch(path.name):
                files[match["case_id"]][roles[match["breath"]]].append(path)
            else:
                n_others += 1
    if n_others:
        _log.warning("%d files of other names are passed over in scans and lungMasks", n_others)
    return files


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_ignored(path.name))


def _indexes(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if _L2R_INDEX.fullmatch(path.name)]


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
        listed = [pair for key in _L2R_LISTS for pair in content.get(key, [])]
        pairs = [(_text(pair["fixed"]), _text(pair["moving"])) for pair in listed]
    except (AttributeError, KeyError, TypeError) as error:
        msg = f"an index lists pairs of 'fixed' and 'moving' under {', '.join(_L2R_LISTS)}"
        raise DataError(msg, got="something else", where=path) from error
    return list(dict.fromkeys(pairs))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _learn2reg_case(root: Path, fixed: str, moving: str) -> SourceCase:
    match = _L2R_NAME.fullmatch(PurePosixPath(fixed).name)
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
    """imagesTr/a.nii.gz has its mask at masksTr/a.nii.gz and its points at keypointsTr/a.csv."""
    folder = image.parent
    named = folder.name.replace("images", kind, 1) if "images" in folder.name else kind
    return root / folder.parent / named / name


def _exists(path: Path) -> bool:
    """An index may hold names that no file system takes."""
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
