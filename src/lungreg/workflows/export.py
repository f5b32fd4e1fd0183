"""Export: the transforms of a run or a pair in the formats of ITK, ANTs or Learn2Reg."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lungreg.config import Config
from lungreg.errors import ConfigError, DataError, LungregError
from lungreg.formats.local_files import write_file
from lungreg.formats.transforms import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    describe_transform,
    encode_displacement,
    encode_learn2reg,
)
from lungreg.formats.transforms.itk_files import describe_inverse, encode_transform_files
from lungreg.records.summary import Facts, Summary
from lungreg.registration.outputs import StoredRegistration
from lungreg.spatial.displacement import dense_displacement
from lungreg.spatial.inversion import invert
from lungreg.spatial.total_displacement import total_displacement_mm, voxel_displacement
from lungreg.stores import Backend
from lungreg.workflows.export_sources import Source, of_folder, of_run
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress

MAPPING_FILE = "cases.csv"
_MAX_NUMBER = 9999
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True, repr=False)
class ExportReport(Summary):
    """The files that an export wrote, and the cases that failed."""

    files: list[str]
    """Names relative to the folder, by case."""
    failed: dict[str, str] = field(default_factory=dict)
    """By case id: why it could not be exported. For the console: it may name a case."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {"files": len(self.files), "failed": len(self.failed)}

    def parts(self) -> Sequence[Facts]:
        """The cases that failed."""
        return [{"case_id": name, "why": why} for name, why in self.failed.items()]


@dataclass(frozen=True, kw_only=True, eq=False)
class Exported:
    """One registered case, read back, and how it is called."""

    case_id: str
    number: int
    """A number that no other case of the run has; see `case_numbers`."""
    stored: StoredRegistration
    """Its transform and the grids of both scans."""
    moving_lungs: NDArray[Any] | None
    """(X, Y, Z) on the moving grid, above 0 in the lungs."""


def export(
    config: Config,
    target: str | Path,
    out: Path,
    *,
    file_format: str,
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ExportReport:
    """Write the transforms of registered cases to a folder of this machine.

    - itk: `CASE/transform.h5`, `CASE/transform_inverse.h5` and `CASE/transform.json`.
    - ants: `CASE_Warp.nii.gz`, total displacement on the fixed scan's grid for antsApplyTransforms
      `-t`, `CASE_InverseWarp.nii.gz` on the moving one's, and `CASE_Warp.json`.
    - learn2reg: `disp_0001_0001.nii.gz`, displacement in voxels for the official evaluation, and
      `cases.csv` with the case of each number: the one in its id where every id has exactly one
      and they differ, else its place in the run.

    Args:
        config: Names the backend, and limits the size of masks (`ingest.max_voxels`).
        target: A run of `infer`, or a folder of `register`, which is one case named like it.
        out: The folder; files of the same names are replaced.
        file_format: "itk", "ants" or "learn2reg".
        backend: Stores to use instead of those that the config names.
        on_progress: Called after every case.

    Raises:
        ConfigError: Another format.
        RunError: The run has no results, or the folder cannot be written.
        DataError: A folder without a registered pair.
    """
    if file_format not in FORMATS:
        msg = f"an export's format is one of {', '.join(FORMATS)}"
        raise ConfigError(msg, got=repr(file_format))
    pair = of_folder(target, config.ingest.max_voxels)
    if pair is None:
        waiting, case_ids = of_run(config, str(target), backend)
    else:
        waiting, case_ids = [pair], [pair.case_id]
    numbers = case_numbers(case_ids)
    report = ExportReport(files=[])
    for done, source in enumerate(waiting, start=1):
        try:
            case = _exported(source, numbers[source.case_id])
            files = FORMATS[file_format](case)
        except LungregError as error:
            report.failed[source.case_id] = error.anonymous
            note = f"{source.case_id}: failed, {error.anonymous}"
        else:
            for name, data in files.items():
                write_file(out / name, data)
            report.files.extend(files)
            note = f"{source.case_id}: {', '.join(files)}"
        on_progress(Progress(step="export", done=done, total=len(waiting), note=note))
    if file_format == "learn2reg":
        write_file(out / MAPPING_FILE, _mapping(numbers))
        report.files.append(MAPPING_FILE)
    return report


def case_numbers(case_ids: Sequence[str]) -> dict[str, int]:
    """A number for each case: the one in its id, where that is unique, else its place from 1."""
    found = {case_id: _NUMBER.findall(case_id) for case_id in case_ids}
    if all(len(numbers) == 1 and len(numbers[0].lstrip("0")) <= 4 for numbers in found.values()):
        numbered = {case_id: int(numbers[0]) for case_id, numbers in found.items()}
        if len(set(numbered.values())) == len(numbered):
            return numbered
    return {case_id: place for place, case_id in enumerate(sorted(case_ids), start=1)}


def _exported(source: Source, number: int) -> Exported:
    read = source.read()
    return Exported(
        case_id=source.case_id, number=number, stored=read.stored, moving_lungs=read.moving_lungs
    )


def _made(case: Exported) -> dict[str, Any]:
    return {
        k: v for k, v in case.stored.description.made.items() if k not in ("file", "resolution")
    }


def _itk(case: Exported) -> dict[str, bytes]:
    files = encode_transform_files(
        case.stored.transform,
        fixed=case.stored.description.fixed,
        moving=case.stored.description.moving,
        moving_lungs=case.moving_lungs,
        made=_made(case),
    )
    return {f"{case.case_id}/{name}": data for name, data in files.items()}


def _ants(case: Exported) -> dict[str, bytes]:
    fixed, moving = case.stored.description.fixed, case.stored.description.moving
    names = {way: f"{case.case_id}_{way}.nii.gz" for way in ("Warp", "InverseWarp")}
    inverse = invert(case.stored.transform, moving, lungs=case.moving_lungs)
    description = {
        **describe_transform(case.stored.transform, fixed=fixed, moving=moving, made=_made(case)),
        "file": "total displacements T(x) - x and T^-1(y) - y, the affine included",
        "files": {names["Warp"]: FIXED_TO_MOVING, names["InverseWarp"]: MOVING_TO_FIXED},
        "inverse": describe_inverse(inverse, in_lungs=case.moving_lungs is not None),
    }
    ways = (
        (names["Warp"], case.stored.transform, fixed),
        (names["InverseWarp"], inverse.transform, moving),
    )
    files = {
        name: encode_displacement(
            total_displacement_mm(one.affine, dense_displacement(one, grid), grid), grid
        )
        for name, one, grid in ways
    }
    return {**files, f"{case.case_id}_Warp.json": json.dumps(description, indent=2).encode()}


def _learn2reg(case: Exported) -> dict[str, bytes]:
    if case.number > _MAX_NUMBER:
        msg = f"Learn2Reg's names number at most {_MAX_NUMBER} cases"
        raise DataError(msg, got=case.number)
    fixed, moving = case.stored.description.fixed, case.stored.description.moving
    dense = dense_displacement(case.stored.transform, fixed)
    displacement = voxel_displacement(case.stored.transform.affine, dense, fixed, moving)
    return {_learn2reg_name(case.number): encode_learn2reg(displacement, fixed)}


def _learn2reg_name(number: int) -> str:
    return f"disp_{number:04d}_{number:04d}.nii.gz"


def _mapping(numbers: Mapping[str, int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case_id", "number", "file"))
    for case_id, number in sorted(numbers.items()):
        writer.writerow((case_id, number, _learn2reg_name(number)))
    return text.getvalue().encode()


FORMATS: Mapping[str, Callable[[Exported], dict[str, bytes]]] = {
    "itk": _itk,
    "ants": _ants,
    "learn2reg": _learn2reg,
}
