"""Where a session comes from: never from secrets in a configuration."""

from __future__ import annotations

import logging
import os
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
    session.query_tag = "lungreg"
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
    try:
        import snowflake.snowpark
    except ImportError as error:
        msg = "the Snowflake backend needs Snowflake's packages"
        mend = "python -m pip install 'lungreg[snowflake]'"
        raise StoreUnavailableError(msg, got="none installed", mend=mend) from error
    return snowflake.snowpark


def _credentials(settings: SnowflakeBackend) -> dict[str, Any]:
    from snowflake.connector.config_manager import CONFIG_MANAGER

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
        msg = "a connection is named in Snowflake's connections.toml"
        mend = "add it there, or set backend.connection to one that is"
        raise StoreUnavailableError(msg, got=f"{len(known)} others", mend=mend, where=name)
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
