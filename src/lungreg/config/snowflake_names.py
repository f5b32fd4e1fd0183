"""Types of the names of Snowflake objects in a configuration, and checks on whole sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_WORD = r"[A-Za-z_][A-Za-z0-9_$]*"
_LONGEST = 255
_RESERVED_WORDS = """
    ACCOUNT ALL ALTER AND ANY AS BETWEEN BY CASE CAST CHECK COLUMN CONNECT CONNECTION CONSTRAINT
    CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DATABASE DELETE
    DISTINCT DROP ELSE EXISTS FALSE FOLLOWING FOR FROM FULL GRANT GROUP GSCLUSTER HAVING ILIKE IN
    INCREMENT INNER INSERT INTERSECT INTO IS ISSUE JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP
    MINUS NATURAL NOT NULL OF ON OR ORDER ORGANIZATION QUALIFY REGEXP REVOKE RIGHT RLIKE ROW ROWS
    SAMPLE SCHEMA SELECT SET SOME START TABLE TABLESAMPLE THEN TO TRIGGER TRUE TRY_CAST UNION
    UNIQUE UPDATE USING VALUES VIEW WHEN WHENEVER WHERE WITH
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
_HOST = r"(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}:443"
_SECRETS = frozenset(
    {
        *("password", "passcode", "token", "private_key", "private_key_file_pwd"),
        *("private_key_passphrase", "secret"),
    }
)
_OF_A_CONNECTION = frozenset({"user", "account", "private_key_file", "private_key_path", "host"})


def refuse_credentials(given: Any) -> None:
    """Refuse passwords, keys and user names, which belong into Snowflake's connections.toml.

    Args:
        given: A section as it was read; sections inside it are checked too.

    Raises:
        ValueError: A key is a secret or part of a connection. The message has no values.
    """
    if not isinstance(given, Mapping):
        return
    for key, value in given.items():
        name = str(key).lower()
        if name in _SECRETS:
            msg = (
                f"a config holds no secret, got the key {key!r}; put it into Snowflake's "
                "connections.toml and name that connection here"
            )
            raise ValueError(msg)
        if name in _OF_A_CONNECTION:
            msg = f"{key!r} belongs into Snowflake's connections.toml; name that connection here"
            raise ValueError(msg)
        refuse_credentials(value)


def refuse_equal(names: Mapping[str, str]) -> None:
    """Refuse equal names, compared without regard to case, as Snowflake does.

    Args:
        names: Names of objects in one place, by their keys in the configuration.

    Raises:
        ValueError: Two names are equal.
    """
    keys: dict[str, str] = {}
    for key, name in names.items():
        other = keys.setdefault(name.upper(), key)
        if other != key:
            msg = f"{other} and {key} have different names, got {name!r} for both"
            raise ValueError(msg)


def _formed(form: str, rule: str) -> Callable[[str], str]:
    def check(given: str) -> str:
        if not re.fullmatch(form, given):
            raise ValueError(rule)
        return given

    return check


def _identifier(given: str) -> str:
    if not re.fullmatch(_WORD, given) or len(given) > _LONGEST:
        msg = "a name has letters, digits, _ and $, begins with a letter or _, and is not quoted"
        raise ValueError(msg)
    if given.upper() in _RESERVED:
        msg = f"a name is no word that SQL reserves, got {given!r}"
        raise ValueError(msg)
    return given


Identifier = Annotated[
    str, AfterValidator(_identifier), Field(json_schema_extra={"pattern": f"^{_WORD}$"})
]
"""An unquoted Snowflake name: it goes into DDL statements, which take no bound parameters."""
Host = Annotated[
    str,
    AfterValidator(_formed(_HOST, "a host reads HOST:443, one host by its name, no wildcard")),
    Field(json_schema_extra={"pattern": f"^{_HOST}$"}),
]
"""One host as HOST:443, by name: no IP address, no wildcard."""
QualifiedName = Annotated[
    str,
    AfterValidator(
        _formed(
            rf"{_WORD}(\.{_WORD}){{0,2}}",
            "a name reads [DATABASE.][SCHEMA.]NAME, each of letters, digits, _ and $",
        )
    ),
    Field(json_schema_extra={"pattern": rf"^{_WORD}(\.{_WORD}){{0,2}}$"}),
]
"""[DATABASE.][SCHEMA.]NAME, unquoted."""
FullName = Annotated[
    str,
    AfterValidator(_formed(rf"{_WORD}(\.{_WORD}){{2}}", "a full name reads DATABASE.SCHEMA.NAME")),
    Field(json_schema_extra={"pattern": rf"^{_WORD}(\.{_WORD}){{2}}$"}),
]
"""DATABASE.SCHEMA.NAME, unquoted."""
