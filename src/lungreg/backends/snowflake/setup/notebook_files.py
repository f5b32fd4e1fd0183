"""The files of the notebooks in the account: notebooks, configuration, and what they install."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lungreg.backends.snowflake.installed import PACKAGE
from lungreg.backends.snowflake.jobs.image import this_python
from lungreg.backends.snowflake.jobs.payload import (
    integrations_of,
    job_config,
    write_installation,
)
from lungreg.backends.snowflake.setup.install_lungreg import ABOUT
from lungreg.config import NAMED_SOURCES, Config, SnowflakeBackend
from lungreg.errors import RunError

CONFIG_FILE = "notebooks.yaml"
"""The configuration that the notebooks read; in the package it is a small example."""
PYTHONS = ("3.10", "3.11", "3.12")
"""Those of notebook services, by Snowflake's page "Managing packages and runtime"."""
_OF_THIS_MACHINE = ("groups", "key_file", "pseudonymise")
"""Keys of `ingest` that name files here, or make one. A public or simulated cohort has no names to
hide."""
_HEADER = """\
# Of 'lungreg setup --notebooks', from the configuration that it was given. Scans that lie on your
# own machine are brought in from there, by 'lungreg ingest'; notebook 1 brings in what Snowflake
# itself can reach: ingest.source is then an address, or the public dataset zenodo-lung-ct, and
# backend.egress.hosts names its host.
"""


@dataclass(frozen=True, kw_only=True)
class NotebookFile:
    """A file to upload."""

    path: Path
    in_workspace: bool
    """Beside the notebooks; else on the stage of what they install."""
    folder: str = ""
    """Where it goes there, with a "/" at its end; empty for the root."""


def write_notebooks(config: Config, settings: SnowflakeBackend, folder: Path) -> list[NotebookFile]:
    """Write all files into an empty folder, below `workspace/`, `start/` and `wheels/`.

    Args:
        config: Of the notebooks' runs.
        settings: Of the account.
        folder: Empty.

    Raises:
        RunError: lungreg, or a wheel that it needs, cannot be packed; or notebooks have not the
            Python that the wheels would be for.
    """
    _refuse_python(settings)
    start, workspace = folder / "start", folder / "workspace"
    start.mkdir()
    workspace.mkdir()
    # Whoever opens a notebook chooses what its service reaches: a job's repositories are not its.
    write_installation(settings, start, bundled=not integrations_of(settings))
    for name, data in _workspace_files(config, settings).items():
        (workspace / name).write_bytes(data)
    wheels = start / "wheels"
    return [
        *(NotebookFile(path=file, in_workspace=True) for file in _files(workspace)),
        *(NotebookFile(path=file, in_workspace=False, folder="start/") for file in _files(start)),
        *(NotebookFile(path=file, in_workspace=False, folder="wheels/") for file in _files(wheels)),
    ]


def notebook_config(config: Config, settings: SnowflakeBackend) -> dict[str, Any]:
    """The configuration for notebooks: that of a job, with a source that is not of this machine.

    A cohort that gets pseudonyms is left out as well: its key stays here, and so does its ingest.
    """
    raw = job_config(config, pool=settings.compute_pool.name)
    source = str(config.ingest.source or "")
    is_hidden = config.ingest.pseudonymise or "://" not in source
    if is_hidden and source not in NAMED_SOURCES:
        return raw
    ingest = config.model_dump(mode="json", exclude_unset=True)["ingest"]
    return {**raw, "ingest": {k: v for k, v in ingest.items() if k not in _OF_THIS_MACHINE}}


def notebooks_folder() -> Path:
    """The notebooks of this installation: in the package, or beside `src` in a clone.

    Raises:
        RunError: It has none.
    """
    root = Path(str(resources.files(PACKAGE)))
    for folder in (root / "notebooks", root.parents[1] / "notebooks"):
        if (folder / CONFIG_FILE).is_file():
            return folder
    msg = "the notebooks are installed with lungreg"
    raise RunError(msg, got="none", mend="install it from its wheel, or in a clone with pip -e")


def _workspace_files(config: Config, settings: SnowflakeBackend) -> dict[str, bytes]:
    """By name, what lies in the workspace."""
    script = resources.files("lungreg.backends.snowflake.setup") / "install_lungreg.py"
    about = {
        "stage": f"@{settings.packages}",
        "python": None if integrations_of(settings) else this_python(),
        "nodes": settings.compute_pool.notebook_nodes,
    }
    text = yaml.safe_dump(notebook_config(config, settings), sort_keys=False)
    notebooks = {file.name: file.read_bytes() for file in notebooks_folder().glob("*.ipynb")}
    return {
        **notebooks,
        script.name: script.read_bytes(),
        ABOUT: json.dumps(about).encode(),
        CONFIG_FILE: (_HEADER + text).encode(),
    }


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*") if file.is_file())


def _refuse_python(settings: SnowflakeBackend) -> None:
    """Refuse wheels for a Python that no notebook has."""
    if not integrations_of(settings) and this_python() not in PYTHONS:
        msg = "notebooks get wheels for this machine's Python, which is one that they have"
        mend = f"run it with Python {', '.join(PYTHONS[1:])}, or set backend.egress.hosts"
        raise RunError(msg, got=this_python(), mend=mend)
