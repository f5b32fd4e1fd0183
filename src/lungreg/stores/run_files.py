"""Configuration, split, history and audit record of a run: writing them to a stage and reading."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from lungreg.config import Config, parse_config
from lungreg.errors import NotFoundError, RunError
from lungreg.records import Case, Split
from lungreg.stores import Stage
from lungreg.stores.names import RUNS, RunNames

_MEND = "restore it from a backup, or start a run"
_HISTORY_MEND = "delete it: the run's checkpoint has the same, and --resume writes it again"
_PACKAGES = ("lungreg", "torch", "monai", "ray", "numpy", "nibabel", "SimpleITK")


def new_run_id(kind: str) -> str:
    """A unique run id that sorts by time, such as "infer-20261122-101500-3fa9c1"."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def write_config(stage: Stage, run_id: str, config: Config) -> None:
    """Write a run's configuration, without backend and ingest, which depend on the machine."""
    text = config.model_dump_json(indent=2, exclude={"backend": True, "ingest": True})
    stage.write(RunNames(run_id).config, text.encode())


def read_config(stage: Stage, run_id: str, current: Config, *, kind: str) -> Config:
    """The configuration of a run, on the backend and under the size limit of the current one.

    Raises:
        RunError: There is no such run, it is of another kind, or its file is damaged.
    """
    msg = f"a run to go on with is one that 'lungreg {kind}' has started on this stage"
    mend = f"its id begins with '{kind}-' and names a folder in runs/ on the stage"
    if not run_id.startswith(f"{kind}-"):
        raise RunError(msg, got=repr(run_id), mend=mend)
    try:
        stored = _read_json(stage, RunNames(run_id).config, dict)
    except NotFoundError as error:
        raise RunError(msg, got=repr(run_id), mend=mend) from error
    here = current.model_dump(include={"backend": True, "ingest": {"max_voxels"}})
    return parse_config({**stored, **here})


def runs_on(stage: Stage) -> list[RunNames]:
    """The runs that have files on a stage; those of their cases are not listed."""
    return [RunNames(folder.removeprefix(f"{RUNS}/")) for folder in stage.folders(RUNS)]


def write_split(stage: Stage, run_id: str, split: Mapping[Split, Sequence[str]]) -> None:
    """Write the case ids of train, val and test."""
    text = json.dumps({name.value: list(ids) for name, ids in split.items()}, indent=2)
    stage.write(RunNames(run_id).split, text.encode())


def read_split(stage: Stage, run_id: str) -> dict[Split, list[str]]:
    """The case ids of train, val and test of a run.

    Raises:
        RunError: The file is damaged.
    """
    stored = _read_json(stage, RunNames(run_id).split, dict)
    return {Split(name): ids for name, ids in stored.items()}


def write_audit(
    stage: Stage, run_id: str, *, config: Config, cases: Sequence[Case], model: str = ""
) -> None:
    """Write an audit record: user, time, command, hashes of config, model and inputs.

    Each call of a run writes one, so that a resumed run has several.
    """
    inputs = "".join(sorted(case.fingerprint for case in cases))
    line = {
        "who": _user(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([sys.argv[0].rsplit("/", 1)[-1], *sys.argv[1:]]),
        "config_sha256": _sha256(config.model_dump_json()),
        "model_sha256": model,
        "inputs_sha256": _sha256(inputs),
        "cases": len(cases),
        "environment": environment(),
    }
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    stage.write(RunNames(run_id).audit_record(name), json.dumps(line, indent=2).encode())


def environment() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    versions = {"python": ".".join(str(n) for n in sys.version_info[:3])}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


History = list[dict[str, float]]


def write_history(stage: Stage, run_id: str, history: History) -> None:
    """Write the metrics of each epoch so far."""
    stage.write(RunNames(run_id).history, json.dumps(history).encode())


def read_history(stage: Stage, run_id: str) -> History:
    """The metrics of each epoch of a run so far; [] before the first.

    Raises:
        RunError: The file is damaged.
    """
    try:
        history: History = _read_json(stage, RunNames(run_id).history, list, mend=_HISTORY_MEND)
    except NotFoundError:
        return []
    return history


def _read_json(stage: Stage, name: str, kind: type, *, mend: str = _MEND) -> Any:
    """The content of a JSON file of a run: an object or a list."""
    try:
        content = json.loads(stage.read(name))
    except ValueError:
        content = None
    if not isinstance(content, kind):
        msg = "a file of a run is whole, after a power cut or a full disk too"
        got = f"a damaged {name.rpartition('/')[2]}"
        raise RunError(msg, got=got, mend=mend, where=name)
    return content
