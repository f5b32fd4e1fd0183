"""The folder that `register` writes: the files of the pair that it noted there."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from lungreg.errors import DataError
from lungreg.formats.local_files import read_file
from lungreg.sources.pair_files import PairFiles
from lungreg.stores.names import INPUTS_FILE


def note_files(files: PairFiles) -> bytes:
    """The text of `inputs.json`: where the pair's files lie on this machine, by role."""
    paths = asdict(files)
    listed = {role: None if path is None else str(path.absolute()) for role, path in paths.items()}
    return json.dumps(listed, indent=2).encode()


def noted_files(folder: Path) -> dict[str, Path]:
    """The pair's files that `register` noted in its output folder; empty in other folders.

    Raises:
        DataError: The note is damaged.
    """
    file = folder / INPUTS_FILE
    if not file.is_file():
        return {}
    try:
        noted = json.loads(read_file(file))
        found = {name: noted.get(name) for name in PairFiles.__annotations__}
        return {name: Path(path) for name, path in found.items() if path is not None}
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"{INPUTS_FILE} is a JSON object that names the files of the pair"
        got = type(error).__name__
        raise DataError(msg, got=got, mend="register the pair again", where=file) from error
