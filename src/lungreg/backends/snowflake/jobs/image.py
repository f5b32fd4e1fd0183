"""The Container Runtime image that a job will run on, and its Python."""

from __future__ import annotations

import json
import logging
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from lungreg.backends.snowflake.connection.faults import is_lost, translated
from lungreg.backends.snowflake.installed import PACKAGE
from lungreg.errors import ForbiddenError, RunError, StoreError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

logger = logging.getLogger(__name__)

_MEND = "set backend.runtime to a tag in full that names a Python it runs on, such as 2.6.0-py311"
_OF_BARE_TAGS = "3.10"
"""The Python of an image whose tag names none: 2.6.0 is 2.6.0-py310, by what Snowflake's developers
say in snowflake-ml-python's issue 230. Of Container Runtime 3 nobody has said so: a job that finds
another Python than its wheels are for says so itself."""
_REFERENCE = "cre@"
"""Begins an image that the account looks up by itself when the job starts."""


@dataclass(frozen=True, kw_only=True)
class RuntimeImage:
    """An image of Container Runtime, as the account resolved it."""

    name: str
    """REPOSITORY/IMAGE:TAG, or a reference that begins with "cre@"."""
    python: str | None
    """Such as "3.11"; None where the name does not tell."""

    @property
    def is_reference(self) -> bool:
        """Whether the account looks the image up again when the job starts."""
        return self.name.lower().startswith(_REFERENCE)


def resolve_image(session: Session, pool: str, wanted: str | None) -> RuntimeImage:
    """Ask the account which image a job gets, before anything is packed for it.

    The question is that of the client of ML Jobs: with this machine's Python, to choose among the
    images of the account's default.

    Args:
        session: Of the role that submits.
        pool: Compute pool of the job.
        wanted: `backend.runtime`: a tag or an image; None for the account's default.

    Raises:
        RunError: There is no such image, or lungreg does not run on its Python.
    """
    asked = {"pythonVersion": this_python()} | ({"runtimeEnvironment": wanted} if wanted else {})
    sql = f"CALL SYSTEM$GET_ML_JOB_RUNTIME('{pool}', '{json.dumps(asked)}')"
    try:
        with translated():
            rows = session.sql(sql).collect()
    except StoreError as error:
        if isinstance(error, ForbiddenError) or is_lost(error):
            raise
        raise _none_found(wanted) from error
    if not rows or not rows[0][0]:
        raise _none_found(wanted)
    image = RuntimeImage(name=str(rows[0][0]), python=python_of(str(rows[0][0])))
    logger.info("the job runs on %s, Python %s", image.name, image.python or "unknown")
    refuse_python(image)
    return image


def python_of(image: str) -> str | None:
    """The Python of an image by its tag; None for tags that are not Snowflake's, and for none.

    Example:
        >>> python_of("/snowflake/images/container_runtime/gpu_x86_64:2.6.0-py311")
        '3.11'
    """
    tag = image.rpartition(":")[2] if ":" in image else ""
    if found := re.search(r"(?:^|-)py(\d)\.?(\d+)(?:-|$)", tag):
        return f"{found[1]}.{found[2]}"
    return _OF_BARE_TAGS if re.fullmatch(r"[12](\.\d+)+", tag) else None


def refuse_python(image: RuntimeImage) -> None:
    """Refuse an image on whose Python this lungreg cannot be installed.

    Raises:
        RunError: Its Python is too old or too new.
    """
    needed = _needed_python()
    if image.python is not None and f"{image.python}.99" not in needed:
        msg = f"a job's image has a Python that lungreg runs on ({needed})"
        raise RunError(msg, got=f"Python {image.python} in {image.name}", mend=_MEND)


def oldest_python() -> str | None:
    """The oldest Python that lungreg runs on, such as "3.11"; None where any does."""
    lowest = [one.version for one in _needed_python() if one.operator == ">="]
    return lowest[0] if lowest else None


def _needed_python() -> SpecifierSet:
    return SpecifierSet(str(metadata.metadata(PACKAGE).json.get("requires_python", "")))


def this_python() -> str:
    """The Python of this machine, such as "3.11"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _none_found(wanted: str | None) -> RunError:
    msg = "the account has the Container Runtime that a job asks for"
    return RunError(msg, got=f"none for {wanted or f'Python {this_python()}'}", mend=_MEND)
