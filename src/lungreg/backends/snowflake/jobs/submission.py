"""Submit an ML Job, and refuse options that Snowflake's `submit_directory` would ignore."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.errors import RunError

if TYPE_CHECKING:
    from snowflake.ml.jobs import MLJob

_LOGGER = "snowflake.ml.jobs"
_IGNORED = "Ignoring unknown kwargs"


def submit_strictly(folder: Path, pool: str, options: Mapping[str, Any]) -> MLJob[None]:
    """Submit a folder as a job; an option that would be ignored is refused.

    Args:
        folder: The payload.
        pool: The compute pool.
        options: Keyword arguments of `snowflake.ml.jobs.submit_directory`.

    Raises:
        RunError: The installed release does not know an option.
    """
    from snowflake.ml.jobs import submit_directory

    with _unknown_options_refused():
        return submit_directory(str(folder), pool, **options)


def job_statement(
    folder: Path, pool: str, options: Mapping[str, Any], arguments: Sequence[str]
) -> str:
    """Upload a folder, and return the statement that runs it as a job and waits for its end.

    Args:
        folder: The payload.
        pool: The compute pool.
        options: Keyword arguments of `snowflake.ml.jobs.MLJobDefinition.register`.
        arguments: Of the entrypoint.

    Raises:
        RunError: The installed release does not know an option.
    """
    from snowflake.ml.jobs import MLJobDefinition

    with _unknown_options_refused():
        job: MLJobDefinition[..., None] = MLJobDefinition.register(str(folder), pool, **options)
    statement: str = job.to_sql(job_args=list(arguments))
    return statement


@contextmanager
def _unknown_options_refused() -> Iterator[None]:
    """Raise RunError before anything is sent, where the client only warns."""
    handler, logger = _Refusal(), logging.getLogger(_LOGGER)
    level = logger.level
    logger.setLevel(logging.WARNING)  # so that its parents' levels do not count
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Refusal(logging.Handler):
    """Raises the client's warning about ignored options as an error."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(_IGNORED):
            msg = "every option of a job is one that the installed snowflake-ml-python knows"
            mend = "install a release of it that lungreg[snowflake] allows"
            raise RunError(msg, got=record.getMessage(), mend=mend)
