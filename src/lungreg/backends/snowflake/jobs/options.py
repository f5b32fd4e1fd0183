"""What a job is started with: its image, name and options, and what may not be asked of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lungreg.backends.snowflake.connection.faults import client_refusals
from lungreg.backends.snowflake.connection.session import RUN_ID, SessionSource
from lungreg.backends.snowflake.jobs.image import RuntimeImage, resolve_image
from lungreg.backends.snowflake.jobs.payload import (
    CHECK_ENTRYPOINT,
    ENTRYPOINT,
    integrations_of,
    payload_stage,
)
from lungreg.config import SnowflakeBackend
from lungreg.errors import ConfigError, ResourceError

CHECK = "check"
COMMANDS = ("train", "infer", CHECK)
_POOL = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")
_ENVIRONMENT = {"LUNGREG_ANONYMOUS": "1", "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def sending(source: SessionSource, pool: str) -> Iterator[tuple[Any, Path, RuntimeImage]]:
    """A session, an empty folder for what a job is sent, and the job's image.

    Nothing within is tried twice: after a lost connection a job may be running. The login comes
    first, since downloading the wheels takes long.

    Raises:
        RunError: The account has no image for it, or the client refuses what is asked within.
    """
    with (
        source.use() as session,
        TemporaryDirectory(prefix="lungreg-") as folder,
        client_refusals("ML Jobs takes the job"),
    ):
        yield session, Path(folder), resolve_image(session, pool, source.settings.runtime)


def job_name(settings: SnowflakeBackend, command: str) -> str:
    """Full name of a new job, also that of the folder with its files, which two must not share."""
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    return f"{settings.utils}.LUNGREG_{command}_{stamp}".upper()


def job_options(
    settings: SnowflakeBackend, command: Sequence[str], name: str, nodes: int, image: RuntimeImage
) -> dict[str, Any]:
    """The options of ML Jobs, but for arguments and session.

    Args:
        settings: Of the account.
        command: Of lungreg, the name first.
        name: Full name of the job.
        nodes: Machines.
        image: As it was resolved.
    """
    options: dict[str, Any] = {
        "entrypoint": CHECK_ENTRYPOINT if command[0] == CHECK else ENTRYPOINT,
        "stage_name": payload_stage(settings),
        "name": name,
        "target_instances": nodes,
        "min_instances": nodes,
        "env_vars": dict(_ENVIRONMENT),
        "query_warehouse": settings.warehouse,
        "comment": f"lungreg {command[0]}",
    }
    if integrations := integrations_of(settings):
        options["external_access_integrations"] = integrations
    if settings.artifact_repositories:
        options["artifact_repositories"] = list(settings.artifact_repositories)
    runtime = settings.runtime if image.is_reference else image.name
    if runtime is not None:
        options["runtime_environment"] = runtime
    return options


def check_command(command: Sequence[str]) -> None:
    """Refuse arguments of a job that could name a case.

    Raises:
        ConfigError: The command is none of a job, or has other options.
    """
    name, *options = command or ("",)
    if name not in COMMANDS:
        msg = f"a job runs {' or '.join(COMMANDS)}"
        raise ConfigError(msg, got=repr(name))
    is_resumed = len(options) == 2 and options[0] == "--resume" and RUN_ID.fullmatch(options[1])
    if options and not is_resumed:
        msg = "a job takes --resume RUN and nothing else beside its configuration"
        raise ConfigError(msg, mend="put it into the configuration", where=" ".join(options))


def checked_pool(settings: SnowflakeBackend, pool: str | None, nodes: int) -> str:
    """The name of a compute pool, in capitals.

    Raises:
        ConfigError: It is no name.
        ResourceError: The pool may not have so many nodes.
    """
    name = pool or settings.compute_pool.name
    if not _POOL.fullmatch(name):
        msg = "the name of a compute pool has letters, digits, '_' and '$'"
        raise ConfigError(msg, got=repr(name))
    most = settings.compute_pool.max_nodes
    if name.upper() == settings.compute_pool.name.upper() and not 1 <= nodes <= most:
        msg = "a job has at least one node and at most compute_pool.max_nodes"
        mend = "raise it in the configuration and with ALTER COMPUTE POOL"
        raise ResourceError(msg, got=f"{nodes} of {most}", mend=mend)
    return name.upper()
