"""What is sent with a job: the start script, lungreg's wheel, its requirements, the config."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lungreg.backends.snowflake.jobs.requirements import (
    download_wheels,
    job_requirements,
    pinned_closure,
)
from lungreg.backends.snowflake.jobs.wheel import write_wheel
from lungreg.config import Config, SnowflakeBackend

ENTRYPOINT = "start.py"
_NAME = re.compile(r"LUNGREG_(?:TRAIN|INFER)_[0-9]{8}_[0-9]{6}_[0-9A-F]{6}")
_HERE_ONLY = ("connection", "role")
"""Of this machine: a job has the container's own token, and the role that submitted it."""


def write_payload(config: Config, settings: SnowflakeBackend, folder: Path, *, pool: str) -> None:
    """Fill an empty folder with all that a job needs.

    Nothing in it is called `requirements.txt`: the runtime would install that without asking
    what it changes.

    Args:
        config: What the job runs with.
        settings: Of the account.
        folder: Empty.
        pool: Compute pool of the job, whatever the configuration says.

    Raises:
        RunError: lungreg, or what travels with it, cannot be packed.
    """
    bundled = not integrations_of(settings)
    wheel = write_wheel(folder)
    if bundled:
        (folder / "wheels").mkdir()
        download_wheels(pinned_closure(), folder / "wheels")
    about = {"wheel": wheel.name, "bundled": bundled, "upgrades": list(settings.job_upgrades)}
    script = resources.files("lungreg.backends.snowflake.jobs") / ENTRYPOINT
    (folder / ENTRYPOINT).write_bytes(script.read_bytes())
    _write(folder / "job.json", json.dumps(about))
    _write(folder / "needed.txt", "\n".join(job_requirements()) + "\n")
    _write(folder / "run.yaml", yaml.safe_dump(job_config(config, pool=pool), sort_keys=False))


def payload_stage(settings: SnowflakeBackend) -> str:
    """Where the folders of jobs lie, one for each, named like the job."""
    return f"@{settings.jobs}/jobs"


def payload_of(settings: SnowflakeBackend, job_id: str) -> str | None:
    """The folder that a job of ours was sent; None for a job of somebody else.

    Snowflake puts a suffix behind the name that a job was given.
    """
    found = _NAME.search(job_id.upper())
    return None if found is None else f"{payload_stage(settings)}/{found[0]}/"


def integrations_of(settings: SnowflakeBackend) -> list[str]:
    """External access integrations of jobs: those named, and the one that setup made."""
    ours = [settings.egress.name] if settings.egress.hosts else []
    return [*settings.integrations, *ours]


def job_config(config: Config, *, pool: str) -> dict[str, Any]:
    """The configuration as a job reads it: only what was set, and nothing of this machine.

    Without `ingest`, whose paths are this machine's and which no job runs. With the compute pool
    that the job runs on, since its cost is asked by that name.
    """
    raw = config.model_dump(mode="json", exclude_unset=True, exclude={"ingest"})
    backend = {key: value for key, value in raw["backend"].items() if key not in _HERE_ONLY}
    backend["compute_pool"] = {**backend.get("compute_pool", {}), "name": pool}
    return {**raw, "backend": backend}


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
