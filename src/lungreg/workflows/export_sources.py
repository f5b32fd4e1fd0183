"""Sources of an export: the registered cases of a run, or the folder of one registered pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lungreg.backends import open_backend
from lungreg.backends.local.stage import LocalStage
from lungreg.config import Config
from lungreg.errors import DataError, LungregError, NotFoundError
from lungreg.formats.local_files import read_file
from lungreg.formats.transforms import Description
from lungreg.formats.volumes import decode_mask
from lungreg.records import Case, CaseResult, Status
from lungreg.registration.outputs import StoredRegistration, read_registration
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import read_cases, require_case_id
from lungreg.stores.names import DISPLACEMENT_FILE, CaseNames, RunNames
from lungreg.workflows.registered_folder import noted_files
from lungreg.workflows.results import run_results

_PAIR = "pair"


@dataclass(frozen=True, kw_only=True, eq=False)
class Registered:
    """One registered case, read back from what `infer` or `register` wrote."""

    stored: StoredRegistration
    """Its transform and the grids of both scans."""
    moving_lungs: NDArray[Any] | None
    """(X, Y, Z) on the moving grid, above 0 in the lungs."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One case that can be read."""

    case_id: str
    read: Callable[[], Registered]
    """Raises a LungregError where the case cannot be read."""


def of_run(config: Config, run_id: str, backend: Backend | None) -> tuple[list[Source], list[str]]:
    """The registered cases of a run, and the ids of all its cases.

    Raises:
        RunError: The run has no results.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "export")
    rows = run_results(backend, run_id, or_folder=True)
    cases, limit, stage = _known_cases(backend.stage), config.ingest.max_voxels, backend.stage

    def source(row: CaseResult) -> Source:
        case = cases.get(row.case_id)
        return Source(case_id=row.case_id, read=lambda: _read(stage, row, case, limit))

    waiting = [source(row) for row in rows if row.status is Status.SUCCESS]
    return waiting, [row.case_id for row in rows]


def of_folder(target: str | Path, max_voxels: int) -> Source | None:
    """The pair in a folder of `register`, named like the folder; None where it is none.

    Raises:
        DataError: A folder without a registered pair in it.
    """
    folder = Path(target)
    if not folder.is_dir() or str(target).startswith("infer-"):
        return None
    if not (folder / DISPLACEMENT_FILE).is_file():
        msg = f"a folder to export holds {DISPLACEMENT_FILE}, as 'lungreg register' writes it"
        raise DataError(msg, got="none", mend="name such a folder, or a run", where=folder)
    return Source(case_id=_name(folder), read=lambda: _read_folder(folder, max_voxels))


def _name(folder: Path) -> str:
    name = folder.absolute().name
    try:
        require_case_id(name)
    except LungregError:
        return _PAIR
    return name


def _read_folder(folder: Path, max_voxels: int) -> Registered:
    stored = read_registration(LocalStage(folder, fsync=False), CaseNames(""))
    try:
        path = noted_files(folder).get("moving_mask")
        data = None if path is None else read_file(path)
    except LungregError:
        data = None  # the mask only makes the inverse surer inside the lungs
    return Registered(stored=stored, moving_lungs=_lungs(data, stored.description, max_voxels))


def _known_cases(stage: Stage) -> dict[str, Case]:
    try:
        return {case.case_id: case for case in read_cases(stage)}
    except NotFoundError:
        return {}


def _read(stage: Stage, row: CaseResult, case: Case | None, max_voxels: int) -> Registered:
    require_case_id(row.case_id)
    stored = read_registration(stage, RunNames(row.run_id).case(row.case_id))
    data = None
    if case is not None and case.moving_mask is not None and stage.exists(case.moving_mask):
        data = stage.read(case.moving_mask)
    return Registered(stored=stored, moving_lungs=_lungs(data, stored.description, max_voxels))


def _lungs(data: bytes | None, description: Description, max_voxels: int) -> NDArray[Any] | None:
    """The moving mask, if it is on the grid that the case was registered on."""
    if data is None:
        return None
    mask = decode_mask(data, max_voxels=max_voxels)
    labels: NDArray[Any] = mask.data
    return labels if mask.grid.same_as(description.moving, tolerance_mm=0.1) else None
