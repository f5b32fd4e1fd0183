"""Where a session comes from: never from secrets in a configuration."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

TOKEN_FILE = Path("/snowflake/session/token")
"""Snowpark Container Services keep a fresh OAuth token here."""
_NAMING_LOGGERS = (
    "snowflake.connector.encryption_util",
    "snowflake.connector.file_transfer_agent",
    "snowflake.connector.storage_client",
    "snowflake.connector.vendored.urllib3.connectionpool",
)
UNTAGGED = '{"app": "lungreg"}'
"""The query tag of a session that works for no run and no step."""
_PACKAGES = {
    "snowflake-snowpark-python": "snowflake.snowpark",
    "snowflake-ml-python": "snowflake.ml",
}
CONTAINER_OPTIONS: dict[str, Any] = {}
"""Further options of a connection by that token; none are needed inside Snowflake."""


def active_session() -> Session | None:
    """The session that a notebook or job has already opened, if there is exactly one.

    Raises:
        StoreUnavailableError: The packages are missing.
    """
    _snowpark()
    from snowflake.snowpark.context import get_active_session
    from snowflake.snowpark.exceptions import SnowparkSessionException

    try:
        return get_active_session()
    except SnowparkSessionException:
        return None


def open_session(settings: SnowflakeBackend) -> Session:
    """A new session: of the named connection, the container's token or the default connection.

    Raises:
        StoreUnavailableError: No connection is configured, or the packages are missing.
    """
    snowpark = _snowpark()
    _keep_names_out_of_logs()
    options = {**_credentials(settings), **_defaults(settings)}
    session: Session = snowpark.Session.builder.configs(options).create()
    # Without a tag of its own Snowpark writes the caller's file names into the query history.
    session.query_tag = UNTAGGED
    return session


def _keep_names_out_of_logs() -> None:
    """Snowflake's client warns of broken transfers with the names of their files.

    Its errors reach us as exceptions anyway. A level that somebody has set stays.
    """
    for name in _NAMING_LOGGERS:
        client_logger = logging.getLogger(name)
        if client_logger.level == logging.NOTSET:
            client_logger.setLevel(logging.CRITICAL)


def _snowpark() -> Any:
    missing = [package for package, module in _PACKAGES.items() if not _is_there(module)]
    if missing:
        msg = "the Snowflake backend needs Snowflake's packages"
        mend = "python -m pip install 'lungreg[snowflake]', or '.[snowflake]' in a clone"
        raise StoreUnavailableError(msg, got=f"no {' and no '.join(missing)}", mend=mend)
    import snowflake.snowpark

    return snowflake.snowpark


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is missing, too
        return False


def _credentials(settings: SnowflakeBackend) -> dict[str, Any]:
    from snowflake.connector.config_manager import CONFIG_MANAGER
    from snowflake.connector.constants import CONNECTIONS_FILE

    if settings.connection is None and TOKEN_FILE.is_file():
        return {
            **CONTAINER_OPTIONS,
            "host": os.environ["SNOWFLAKE_HOST"],
            "account": os.environ["SNOWFLAKE_ACCOUNT"],
            "authenticator": "oauth",
            "token": TOKEN_FILE.read_text(encoding="utf-8").strip(),
        }
    known: Any = CONFIG_MANAGER["connections"]
    name = settings.connection or CONFIG_MANAGER["default_connection_name"]
    if name not in known:
        msg = "a connection is known to Snowflake's clients by its name"
        others = ", ".join(sorted(known)) or "none so far"
        mend = f"add it to that file, or set backend.connection to one that is known ({others})"
        where = f"{name} in {CONNECTIONS_FILE}"
        raise StoreUnavailableError(msg, got="an unknown name", mend=mend, where=where)
    return {"connection_name": name}


def _defaults(settings: SnowflakeBackend) -> dict[str, Any]:
    """What the configuration knows better than the connection."""
    options: dict[str, Any] = {
        "database": settings.database,
        "schema": settings.utils_schema,
        "warehouse": settings.warehouse,
        "network_timeout": settings.timeout_s,
        "login_timeout": settings.timeout_s,
    }
    return options if settings.role is None else {**options, "role": settings.role}
