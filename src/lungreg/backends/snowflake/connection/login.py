"""Open a Snowpark session: of a connection, or of the container's token."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreUnavailableError
from lungreg.extras import require_extras

if TYPE_CHECKING:
    from snowflake.snowpark import Session

TOKEN_FILE = Path("/snowflake/session/token")
"""Snowpark Container Services keep a fresh OAuth token here."""
_NAMING_LOGGERS = (
    "snowflake.connector.encryption_util",
    "snowflake.connector.file_transfer_agent",
    "snowflake.connector.storage_client",
    "snowflake.connector.vendored.urllib3.connectionpool",
    "snowflake.snowpark._internal.server_connection",  # the text of a statement that fails
)
"""Loggers of Snowflake's clients that name files."""
UNTAGGED = '{"app": "lungreg"}'
"""The query tag of a session without run and step."""
_NAME_ONE = "name a connection with backend.connection"
_LONGEST_LOGIN_S = 60
"""Not longer, since the client tries several times and the user should soon see an error."""
CONTAINER_OPTIONS: dict[str, Any] = {}
"""More options of a connection by that token; none are needed inside Snowflake."""


def active_session() -> Session | None:
    """The session that a notebook or job has opened, if there is exactly one.

    Raises:
        MissingExtraError: The packages are missing.
    """
    _snowpark()
    from snowflake.snowpark.context import get_active_session
    from snowflake.snowpark.exceptions import SnowparkSessionException

    try:
        session = get_active_session()
    except SnowparkSessionException:
        return None
    _keep_names_out_of_logs()
    return session


def open_session(settings: SnowflakeBackend) -> Session:
    """Open a session: of the named connection, the container's token or the default connection.

    Raises:
        MissingExtraError: The packages are missing.
        StoreUnavailableError: No connection is configured, or its key cannot be read.
    """
    snowpark = _snowpark()
    _keep_names_out_of_logs()
    options = {**_defaults(settings), **_credentials(settings)}
    try:
        session: Session = snowpark.Session.builder.configs(options).create()
    except OSError as error:
        if error.filename is None:  # of a network, say
            raise
        msg = "the private key that the connection names can be read"
        mend = "see private_key_file in connections.toml"
        got = error.strerror or type(error).__name__
        raise StoreUnavailableError(msg, got=got, mend=mend, where=error.filename) from error
    # Without a tag of its own Snowpark writes the caller's file names into the query history.
    session.query_tag = UNTAGGED
    if not settings.secondary_roles and not _in_container(settings):
        # A user's other roles would be active beside this one, by Snowflake's default.
        session.use_secondary_roles("none")
    return session


def _keep_names_out_of_logs() -> None:
    """Silence warnings of Snowflake's clients that name files, of broken transfers for instance.

    Their errors are raised as exceptions anyway. A level that somebody has set stays.
    """
    for name in _NAMING_LOGGERS:
        client_logger = logging.getLogger(name)
        if client_logger.level == logging.NOTSET:
            client_logger.setLevel(logging.CRITICAL)


def _snowpark() -> Any:
    require_extras("snowflake")
    import snowflake.snowpark

    return snowflake.snowpark


def _credentials(settings: SnowflakeBackend) -> dict[str, Any]:
    """The options of the login: connection or token, and the role."""
    if _in_container(settings):
        # A service's token is for its owner's role, and no other is allowed.
        return {**CONTAINER_OPTIONS, **_container()}
    role = {} if settings.role is None else {"role": settings.role}
    return {"connection_name": _connection(settings), **role}


def _in_container(settings: SnowflakeBackend) -> bool:
    """Whether the login is by the token of a container, whose role is alone anyway."""
    return settings.connection is None and TOKEN_FILE.is_file()


def _container() -> dict[str, Any]:
    """The options of a login by the container's token, which is read again for each login."""
    try:
        token = TOKEN_FILE.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = "the container's token can be read"
        got = getattr(error, "strerror", None) or type(error).__name__
        raise StoreUnavailableError(msg, got=got, mend=_NAME_ONE, where=TOKEN_FILE) from error
    return {
        "host": _variable("SNOWFLAKE_HOST"),
        "account": _variable("SNOWFLAKE_ACCOUNT"),
        "authenticator": "oauth",
        "token": token,
    }


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        msg = f"beside the container's token the environment variable {name} is set"
        raise StoreUnavailableError(msg, got="none", mend=f"set it, or {_NAME_ONE}")
    return value


def _connection(settings: SnowflakeBackend) -> str:
    """The name of the connection, which Snowflake's clients must know."""
    from snowflake.connector.config_manager import CONFIG_MANAGER
    from snowflake.connector.constants import CONNECTIONS_FILE

    known: Any = CONFIG_MANAGER["connections"]
    name = str(settings.connection or CONFIG_MANAGER["default_connection_name"])
    if name in known:
        return name
    if not known:
        msg = "a connection is configured for Snowflake's clients"
        mend = "add one to connections.toml, as the documentation's page on Snowflake shows"
        raise StoreUnavailableError(msg, got="none", mend=mend, where=CONNECTIONS_FILE)
    msg = "a connection is known to Snowflake's clients by its name"
    others = ", ".join(sorted(known))
    mend = f"add it to that file, or set backend.connection to one that is known ({others})"
    where = f"{name} in {CONNECTIONS_FILE}"
    raise StoreUnavailableError(msg, got="an unknown name", mend=mend, where=where)


def _defaults(settings: SnowflakeBackend) -> dict[str, Any]:
    """Options of the configuration, which override those of the connection."""
    return {
        "database": settings.database,
        "schema": settings.utils_schema,
        "warehouse": settings.warehouse,
        "network_timeout": settings.timeout_s,
        "login_timeout": min(settings.timeout_s, _LONGEST_LOGIN_S),
    }
