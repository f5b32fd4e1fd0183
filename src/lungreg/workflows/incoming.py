"""The new cases among files that others have put on the backend's own stage for them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from lungreg.config import Config, Ingest
from lungreg.errors import ConfigError, DataError, UnsafeInputError
from lungreg.sources import SourceCase, list_cases
from lungreg.stores import Backend

_LISTED_IN_A_FILE = "learn2reg"
"""The layout whose cases are not known by the names of their files alone."""


@contextmanager
def new_cases(backend: Backend, config: Config, known: Collection[str]) -> Iterator[Path | None]:
    """Yield a temporary folder with the files of the cases that are new; None where none is.

    Cases are listed by the names of their files, before anything large is fetched.

    Args:
        backend: With the stage.
        config: Of `ingest`.
        known: Ids of the cases that need not be fetched again.

    Raises:
        ConfigError: The backend has no such stage, or the layout needs more than names.
        UnsafeInputError: The path of a file leads out of the folder.
    """
    if backend.incoming is None:
        msg = "files come in on a stage of the backend's own"
        got = f"backend.kind: {config.backend.kind}"
        mend = "set ingest.source to a folder, archive, URL or dataset"
        raise ConfigError(msg, got=got, mend=mend)
    if config.ingest.layout == _LISTED_IN_A_FILE:
        msg = "files that come in are told apart by their names"
        got = f"ingest.layout: {config.ingest.layout}"
        raise ConfigError(msg, got=got, mend="take layout zenodo or pattern")
    with TemporaryDirectory(prefix="lungreg-incoming-") as temporary:
        folder = Path(temporary)
        names = {folder / _checked(path): path for path in backend.incoming.paths()}
        for file in names:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        new = [case for case in _listed(folder, config.ingest) if case.case_id not in known]
        wanted = [file for case in new for file in _files_of(case)]
        for file in names:
            file.unlink()
        for file in wanted:
            backend.incoming.fetch(names[file], file)
        yield folder if new else None


def _listed(folder: Path, settings: Ingest) -> list[SourceCase]:
    if not any(folder.iterdir()):
        return []
    try:
        return list_cases(folder, settings)
    except DataError as error:
        error.mend = error.mend or "see what is on backend.incoming_stage, and ingest.layout"
        raise


def _files_of(case: SourceCase) -> list[Path]:
    """All files of a case, those in the folders of DICOM series too."""
    given = (case.fixed, case.moving, case.fixed_mask, case.moving_mask, case.displacement)
    places = [place for place in (*given, *case.landmarks) if place is not None]
    inside = [[*place.rglob("*")] if place.is_dir() else [place] for place in places]
    return [file for found in inside for file in found if file.is_file()]


def _checked(path: str) -> PurePosixPath:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        msg = "the path of a file on the stage stays below it"
        raise UnsafeInputError(msg, mend="rename the file", where=path)
    return parts
