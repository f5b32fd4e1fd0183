"""Export: the transforms of a run or a pair in the formats of ITK, ANTs or Learn2Reg."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lungreg.config import Config
from lungreg.errors import ConfigError, LungregError
from lungreg.formats.local_files import is_there, write_file
from lungreg.records.summary import Facts, Summary
from lungreg.stores import Backend
from lungreg.workflows.export_formats import FORMATS, Exported, Format, learn2reg_name
from lungreg.workflows.export_sources import Source, of_folder, of_run
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress

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


def export(
    config: Config,
    target: str | Path,
    out: Path,
    *,
    file_format: str,
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
    before_replacing: Callable[[Sequence[Path]], None] = lambda _: None,
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
        before_replacing: Called where files of the export are there already, with their names and
            before any case is read. What it raises ends the export, which has written nothing.

    Raises:
        ConfigError: Another format.
        RunError: The run has no results, or the folder cannot be written.
        DataError: A folder without a registered pair.
    """
    wanted = _format(file_format)
    pair = of_folder(target, config.ingest.max_voxels)
    if pair is None:
        waiting, case_ids = of_run(config, str(target), backend)
    else:
        waiting, case_ids = [pair], [pair.case_id]
    numbers = case_numbers(case_ids)
    if there := [out / name for name in _names(wanted, numbers, waiting) if is_there(out / name)]:
        before_replacing(there)
    report = ExportReport(files=[])
    for done, source in enumerate(waiting, start=1):
        try:
            files = wanted.files(_exported(source, numbers[source.case_id]))
        except LungregError as error:
            report.failed[source.case_id] = error.anonymous
            note = f"{source.case_id}: failed, {error.anonymous}"
        else:
            for name, data in files.items():
                write_file(out / name, data)
            report.files.extend(files)
            note = f"{source.case_id}: {', '.join(files)}"
        on_progress(Progress(step="export", done=done, total=len(waiting), note=note))
    if wanted.mapping:
        write_file(out / wanted.mapping, _mapping(numbers))
        report.files.append(wanted.mapping)
    return report


def case_numbers(case_ids: Sequence[str]) -> dict[str, int]:
    """A number for each case: the one in its id, where that is unique, else its place from 1."""
    found = {case_id: _NUMBER.findall(case_id) for case_id in case_ids}
    if all(len(numbers) == 1 and len(numbers[0].lstrip("0")) <= 4 for numbers in found.values()):
        numbered = {case_id: int(numbers[0]) for case_id, numbers in found.items()}
        if len(set(numbered.values())) == len(numbered):
            return numbered
    return {case_id: place for place, case_id in enumerate(sorted(case_ids), start=1)}


def _format(name: str) -> Format:
    """The format that has this name.

    Raises:
        ConfigError: None has.
    """
    if name not in FORMATS:
        msg = f"an export's format is one of {', '.join(FORMATS)}"
        raise ConfigError(msg, got=repr(name))
    return FORMATS[name]


def _names(wanted: Format, numbers: Mapping[str, int], waiting: Sequence[Source]) -> list[str]:
    """All files of an export within its folder."""
    names = [name for it in waiting for name in wanted.names(it.case_id, numbers[it.case_id])]
    return [*names, wanted.mapping] if wanted.mapping else names


def _exported(source: Source, number: int) -> Exported:
    read = source.read()
    return Exported(
        case_id=source.case_id, number=number, stored=read.stored, moving_lungs=read.moving_lungs
    )


def _mapping(numbers: Mapping[str, int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("case_id", "number", "file"))
    for case_id, number in sorted(numbers.items()):
        writer.writerow((case_id, number, learn2reg_name(number)))
    return text.getvalue().encode()
