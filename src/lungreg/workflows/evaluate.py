"""Evaluate: measure registrations from their files, in the same way whatever tool made them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.devices import choose_device
from lungreg.errors import ConfigError, DataError, NotFoundError
from lungreg.formats.transforms import FIXED_TO_MOVING
from lungreg.formats.transforms.fields import UNSAID, FieldMeaning
from lungreg.formats.transforms.reading import read_transform, require_fields
from lungreg.records import Case, CaseEvaluation, CaseResult, Split, Status, Verdict
from lungreg.records.summary import Facts, Summary
from lungreg.registration.case import describe
from lungreg.registration.other_readings import better_reading
from lungreg.registration.outputs import read_registration
from lungreg.registration.pair import Pair, read_pair
from lungreg.registration.reevaluation import reevaluate
from lungreg.sources.pair_files import PairFiles, read_pair_files
from lungreg.spatial.geometry import Transform
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import read_manifest
from lungreg.stores.names import DISPLACEMENT_FILE, INPUTS_FILE, RunNames
from lungreg.stores.run_files import read_config
from lungreg.workflows.progress import OnProgress, Progress, ignore_progress
from lungreg.workflows.registered_folder import noted_files
from lungreg.workflows.results import run_results

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, repr=False)
class EvaluationReport(Summary):
    """The result of evaluating a run or one pair."""

    target: str
    """Run, or name of the pair's folder or file."""
    cases: list[CaseEvaluation]
    """By case id; cases that could not be registered or measured included."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {"target": self.target, "cases": len(self.cases), "failed": len(self.failed)}

    def parts(self) -> Sequence[Facts]:
        """Facts of each case."""
        return [row.facts() for row in self.cases]

    @property
    def failed(self) -> list[CaseEvaluation]:
        """Cases that could not be measured."""
        return [row for row in self.cases if row.status is Status.FAILED]


def evaluate(
    config: Config,
    target: str | Path,
    *,
    files: Mapping[str, Path] = MappingProxyType({}),
    field: FieldMeaning = UNSAID,
    backend: Backend | None = None,
    on_progress: OnProgress = ignore_progress,
) -> EvaluationReport:
    """Measure a registration from its scans, masks, landmarks and displacement file.

    From the run's own records only the list of cases, their split and the initial alignment are
    taken; all figures are computed anew.

    Args:
        config: Names the backend and the thresholds; for a folder or file also the window that
            images are compared after (`preprocessing.hu_window`; a run brings its own).
        target: A run of `infer`; or a folder with `displacement.nii.gz`, such as `register`
            writes; or a transform file, also another tool's; see `read_transform`.
        files: The pair's files by the name of their field in `PairFiles`; what is not given is
            taken from the folder's `inputs.json`.
        field: What the vectors of another tool's field are, where its file does not say it.
        backend: Stores to use instead of those that the config names.
        on_progress: Called after every case of a run.

    Raises:
        RunError: Neither a folder or file nor a run with results.
        ConfigError: The scans of a file are not given, or scans are given for a run.
        DataError: A file of the pair is missing or cannot be used. A case of a run gets a row
            that says so instead.
    """
    file = _transform_file(target)
    if file is not None:
        require_fields([file], field)
        return _evaluate_files(config, file, _pair_files(file.parent, files), field)
    if files or field != UNSAID:
        msg = "scans and fields are given for a folder or file; those of a run are on the stage"
        raise ConfigError(msg, mend=f"leave them out, or name a folder with {DISPLACEMENT_FILE}")
    run_id = str(target)
    backend = (backend or open_backend(config.backend)).for_run(run_id, "evaluate")
    return _evaluate_run(config, backend, run_id, on_progress)


def _transform_file(target: str | Path) -> Path | None:
    """The file that is meant; None for a run."""
    path = Path(target)
    if path.is_file():
        return path
    if (path / DISPLACEMENT_FILE).is_file():
        return path / DISPLACEMENT_FILE
    if not path.is_dir() or str(target).startswith("infer-"):
        return None
    msg = f"a folder to evaluate holds {DISPLACEMENT_FILE}"
    raise DataError(msg, got="none", mend="name the file itself, or a run", where=path)


def _pair_files(folder: Path, given: Mapping[str, Path]) -> PairFiles:
    known = {**noted_files(folder), **given}
    try:
        return PairFiles(**known)
    except TypeError as error:
        msg = "to evaluate a displacement both scans are known"
        mend = (
            f"give --fixed and --moving, or a folder of 'lungreg register' with its {INPUTS_FILE}"
        )
        raise ConfigError(msg, got=", ".join(sorted(known)) or "neither", mend=mend) from error


def _evaluate_files(
    config: Config, file: Path, files: PairFiles, field: FieldMeaning
) -> EvaluationReport:
    name = file.absolute().parent.name if file.name == DISPLACEMENT_FILE else file.name
    read = read_pair_files(files, name, max_voxels=config.ingest.max_voxels)
    for note in read.notes:
        _log.warning("%s", note)
    known = read_transform(file, field)
    if known.direction != FIXED_TO_MOVING:
        msg = "a transform to evaluate leads from the fixed scan to the moving one"
        raise DataError(msg, got="the way back", mend="name the other file", where=file)
    try:
        window = config.preprocessing.hu_window
        row = _measure(config, read.pair, known.transform, window, Split.UNSEEN)
        if not known.is_described and row.verdict is not Verdict.PASS:
            meant = better_reading(read.pair, known.transform, frame=known.frame)
            row = row if meant is None else replace(row, reasons=(meant, *row.reasons))
    except DataError as error:
        error.where = error.where or file
        raise
    return EvaluationReport(target=name, cases=[row])


def _evaluate_run(
    config: Config, backend: Backend, run_id: str, on_progress: OnProgress
) -> EvaluationReport:
    results = run_results(backend, run_id, or_folder=True)
    stored = read_config(backend.stage, run_id, config, kind="infer")
    rows: list[CaseEvaluation] = []
    for row in _rows(config, backend.stage, results, stored.preprocessing.hu_window):
        rows.append(row)
        on_progress(Progress(step="evaluate", done=len(rows), total=len(results), note=_note(row)))
    return EvaluationReport(target=run_id, cases=rows)


def _rows(
    config: Config, stage: Stage, results: Sequence[CaseResult], hu_window: tuple[float, float]
) -> Iterator[CaseEvaluation]:
    cases = {row.case_id: row.case() for row in read_manifest(stage) if row.files}
    for result in results:
        if result.status is Status.FAILED:
            yield _unmeasured(result, result.error_code, result.error_message)
            continue
        try:
            case = _known(cases, result.case_id)
            pair = read_pair(stage, case, max_voxels=config.ingest.max_voxels)
            stored = read_registration(stage, RunNames(result.run_id).case(result.case_id))
            yield _measure(config, pair, stored.transform, hu_window, result.split)
        except Exception as error:  # noqa: BLE001  # one case never stops the others
            yield _unmeasured(result, *describe(error))


def _known(cases: dict[str, Case], case_id: str) -> Case:
    if case_id not in cases:
        msg = "a case to evaluate is on the stage"
        raise NotFoundError(msg, got="one that was removed", where=case_id)
    return cases[case_id]


def _measure(
    config: Config,
    pair: Pair,
    transform: Transform,
    hu_window: tuple[float, float],
    split: Split,
) -> CaseEvaluation:
    affine_alone = transform.grid.size == 1
    if not (affine_alone or transform.grid.contains(pair.fixed.grid.centre_ras[None]).all()):
        msg = "a displacement to evaluate is given where the fixed scan lies"
        mend = "check that it belongs to this pair, fixed to moving, in the scan's world"
        raise DataError(msg, got="a grid that does not reach the scan's middle", mend=mend)
    return reevaluate(
        pair,
        transform,
        hu_window=hu_window,
        thresholds=config.quality,
        split=split,
        device=choose_device(config.infer.device),
    )


def _unmeasured(result: CaseResult, code: str | None, message: str | None) -> CaseEvaluation:
    return CaseEvaluation(
        case_id=result.case_id,
        split=result.split,
        status=Status.FAILED,
        verdict=Verdict.FAIL,
        reasons=() if message is None else (message,),
        error_code=code,
        error_message=message,
    )


def _note(row: CaseEvaluation) -> str:
    if row.status is Status.FAILED:
        return f"{row.case_id}: failed, {row.error_code}: {row.error_message}"
    return f"{row.case_id}: {row.words}"
