"""The files sent with a job: start script, lungreg's wheel, its requirements, configuration."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lungreg.backends.snowflake.jobs.image import RuntimeImage, oldest_python, this_python
from lungreg.backends.snowflake.jobs.requirements import (
    download_wheels,
    job_requirements,
    pinned_closure,
)
from lungreg.backends.snowflake.jobs.wheel import write_wheel
from lungreg.config import Config, Ingest, SnowflakeBackend

ENTRYPOINT = "start.py"
CHECK_ENTRYPOINT = "start_check.py"
_NAME = re.compile(r"LUNGREG_(?:TRAIN|INFER|CHECK)_[0-9]{8}_[0-9]{6}_[0-9A-F]{6}")
_PATHS = set(Ingest.model_fields) - {"max_voxels"}
_HERE_ONLY = ("connection", "role")
"""Keys of this machine: a job uses its container's token, and the role that submitted it."""


def write_payload(
    config: Config,
    settings: SnowflakeBackend,
    folder: Path,
    *,
    pool: str,
    image: RuntimeImage | None = None,
    with_ingest: bool = False,
) -> None:
    """Write all files that a job needs into an empty folder.

    None is called `requirements.txt`: the runtime would install that, whatever it replaces.

    Args:
        config: Of the job.
        settings: Of the account.
        folder: Empty.
        pool: Compute pool of the job, which may differ from that of the configuration.
        image: Of the job; its Python is this machine's where it is not known.
        with_ingest: Send all of `ingest`, for a job that ingests what others bring in.

    Raises:
        RunError: lungreg, or a wheel that it needs, cannot be packed.
    """
    bundled = not (settings.artifact_repositories or integrations_of(settings))
    write_installation(settings, folder, image=image, bundled=bundled)
    _copy_script(CHECK_ENTRYPOINT, folder)
    raw = job_config(config, pool=pool)
    if with_ingest:
        raw["ingest"] = config.model_dump(mode="json", exclude_unset=True)["ingest"]
    _write(folder / "run.yaml", yaml.safe_dump(raw, sort_keys=False))


def write_installation(
    settings: SnowflakeBackend, folder: Path, *, bundled: bool, image: RuntimeImage | None = None
) -> None:
    """Write what `start.install` needs into an empty folder, the script itself included.

    Args:
        settings: Of the account.
        folder: Empty.
        bundled: Whether all wheels travel; else pip takes them from an index that it reaches.
        image: Of the job; its Python is this machine's where it is not known.

    Raises:
        RunError: lungreg, or a wheel that it needs, cannot be packed.
    """
    python = None if image is None else image.python
    wheel = write_wheel(folder)
    if bundled:
        (folder / "wheels").mkdir()
        download_wheels(pinned_closure(python), folder / "wheels", python)
    about = {
        "wheel": wheel.name,
        "bundled": bundled,
        "python": (python or this_python()) if bundled else None,
        "oldest_python": oldest_python(),
        "upgrades": list(settings.job_upgrades),
        "image": None if image is None else image.name,
        "repositories": [] if bundled else list(settings.artifact_repositories),
    }
    _copy_script(ENTRYPOINT, folder)
    _write(folder / "job.json", json.dumps(about))
    _write(folder / "needed.txt", "\n".join(job_requirements(python)) + "\n")


def _copy_script(name: str, folder: Path) -> None:
    script = resources.files("lungreg.backends.snowflake.jobs") / name
    (folder / name).write_bytes(script.read_bytes())


def payload_stage(settings: SnowflakeBackend) -> str:
    """The place of the jobs' folders, one for each job, under its name."""
    return f"@{settings.jobs}/jobs"


def payload_of(settings: SnowflakeBackend, job_id: str) -> str | None:
    """The folder with the files of a job; None for a job that lungreg has not started.

    The job's id is its name here with a suffix of Snowflake.
    """
    found = _NAME.search(job_id.upper())
    return None if found is None else f"{payload_stage(settings)}/{found[0]}/"


def integrations_of(settings: SnowflakeBackend) -> list[str]:
    """External access integrations of jobs: those of the configuration, and that of setup."""
    ours = [settings.egress.name] if settings.egress.hosts else []
    return [*settings.integrations, *ours]


def job_config(config: Config, *, pool: str) -> dict[str, Any]:
    """The configuration for a job: only the keys that were set, and none of this machine.

    Of `ingest` only the size limit, which loading a pair heeds too: its paths are this machine's.
    With the compute pool that the job runs on, by whose name its cost is queried.
    """
    left_out = {"ingest": _PATHS} if "max_voxels" in config.ingest.model_fields_set else {"ingest"}
    raw = config.model_dump(mode="json", exclude_unset=True, exclude=left_out)
    backend = {key: value for key, value in raw["backend"].items() if key not in _HERE_ONLY}
    backend["compute_pool"] = {**backend.get("compute_pool", {}), "name": pool}
    return {**raw, "backend": backend}


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
