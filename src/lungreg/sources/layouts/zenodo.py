"""The layout of the Zenodo record 3835682: scans, lungMasks and keypoints, by case and breath.

Simulated pairs come in it too, with the true displacement beside.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from pathlib import Path

from lungreg.config import Ingest
from lungreg.records import counted
from lungreg.sources.layouts.folders import find_root, nothing_found, visible
from lungreg.sources.source_case import (
    DISPLACEMENT,
    FIXED,
    FIXED_MASK,
    LANDMARKS,
    MOVING,
    MOVING_MASK,
    SourceCase,
    build_cases,
)

_log = logging.getLogger(__name__)

_NAME = re.compile(r"(?P<case_id>.+)_(?P<breath>exp|insp)\.nii(\.gz)?", re.DOTALL)
_FIELD = re.compile(r"(?P<case_id>.+)\.nii(\.gz)?", re.DOTALL)
_SCANS = {"exp": FIXED, "insp": MOVING}
_MASKS = {"exp": FIXED_MASK, "insp": MOVING_MASK}
_LANDMARK_FOLDERS = ("landmarks", "keypoints")
"""Points set by people come before those found by a program."""


def list_zenodo(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Cases of `scans/CASE_exp.nii.gz`, `CASE_insp.nii.gz`, `lungMasks/`, `keypoints/CASE.csv`.

    Also `displacements/CASE.nii.gz`, which the record does not have.

    Raises:
        DataError: No scan of such a name.
    """
    rule = "layout 'zenodo' has scans/CASE_exp.nii.gz and scans/CASE_insp.nii.gz"
    root = find_root(folder, lambda place: (place / "scans").is_dir(), rule)
    files = _images(root)
    for name in _LANDMARK_FOLDERS:
        for path in visible(root / name):
            if path.suffix == ".csv" and not files[path.stem][LANDMARKS]:
                files[path.stem][LANDMARKS].append(path)
    for path in visible(root / "displacements"):
        if match := _FIELD.fullmatch(path.name):
            files[match["case_id"]][DISPLACEMENT].append(path)
    cases = build_cases(files, (FIXED, MOVING, FIXED_MASK, MOVING_MASK, DISPLACEMENT))
    if not cases:
        raise nothing_found(root / "scans", rule)
    return cases


def _images(root: Path) -> dict[str, dict[str, list[Path]]]:
    files: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    n_others = 0
    for name, roles in (("scans", _SCANS), ("lungMasks", _MASKS)):
        for path in visible(root / name):
            if match := _NAME.fullmatch(path.name):
                files[match["case_id"]][roles[match["breath"]]].append(path)
            else:
                n_others += 1
    if n_others:
        others = counted(n_others, "file")
        _log.warning("passed over in scans and lungMasks: %s of other names", others)
    return files
