"""Submit an ML Job, and refuse options that Snowflake's `submit_directory` would ignore."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.errors import RunError

if TYPE_CHECKING:
    from snowflake.ml.jobs import MLJob

KNOWN_OPTIONS = frozenset(
    {
        *("artifact_repositories", "comment", "database", "enable_metrics", "env_vars", "imports"),
        *("min_instances", "name", "overwrite", "parallel", "preflight", "query_warehouse"),
        *("runtime_environment", "schema", "spec_overrides"),
    }
)
"""Options that snowflake-ml-python 2.6 reads from `**kwargs`."""
_LOGGER = "snowflake.ml.jobs"
_DROPPED = "Ignoring unknown kwargs"


def submit_strictly(folder: Path, pool: str, options: Mapping[str, Any]) -> MLJob[None]:
    """Submit a folder as a job; an option that would be ignored is refused.

    Args:
        folder: The payload.
        pool: The compute pool.
        options: Keyword arguments of `snowflake.ml.jobs.submit_directory`.

    Raises:
        RunError: An option is unknown, here or to the installed release, or one is missing.
    """
    from snowflake.ml.jobs import submit_directory

    signature = inspect.signature(submit_directory)
    named = {name for name, parameter in signature.parameters.items() if _has_name(parameter)}
    msg = "every option of a job is one that ML Jobs knows"
    if unknown := sorted(set(options) - named - KNOWN_OPTIONS):
        raise RunError(msg, got=", ".join(unknown))
    try:
        bound = signature.bind(str(folder), pool, **options)
    except TypeError as error:
        raise RunError(msg, got=str(error)) from error
    with _nothing_dropped():
        return submit_directory(*bound.args, **bound.kwargs)


def _has_name(parameter: inspect.Parameter) -> bool:
    return parameter.kind is not inspect.Parameter.VAR_KEYWORD


@contextmanager
def _nothing_dropped() -> Iterator[None]:
    """Raise RunError before anything is sent, when the installed release ignores an option."""
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
        if record.getMessage().startswith(_DROPPED):
            msg = "every option of a job is one that the installed snowflake-ml-python knows"
            mend = "install a release of it that lungreg[snowflake] allows"
            raise RunError(msg, got=record.getMessage(), mend=mend)
