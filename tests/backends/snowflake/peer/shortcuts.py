"""What fakesnow does more than once for a statement, done once: it is most of the peer's time.

Each statement is parsed for its kind and again to be run, rewritten in more than seventy passes
over its tree, and what it answers is described by another statement that is parsed and rewritten.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import fakesnow.cursor
import fakesnow.server
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from sqlglot import exp

_rewrite = FakeSnowflakeCursor._transform
_describe = FakeSnowflakeCursor._describe_last_sql
_ROWS = (exp.Select, exp.Insert, exp.Update, exp.Delete)
_BY_CALL = ("IDENTIFIER", "RANDOM")
"""What depends on bound values or on chance."""
_TEXT = "text"
_kept: dict[tuple[str, str | None, str | None], exp.Expression] = {}


def take_shortcuts() -> None:
    """From now on in this process."""
    fakesnow.server.parse_one = lru_cache(1000)(parse_one)  # it only looks at the kind
    fakesnow.cursor.parse_one = _parsed
    FakeSnowflakeCursor._transform = _rewritten
    FakeSnowflakeCursor._describe_last_sql = _described


def _parsed(text: str) -> Any:
    tree = parse_one(text)
    tree.meta[_TEXT] = text
    return tree


def _rewritten(cursor: FakeSnowflakeCursor, statement: Any, params: Any) -> Any:
    """A statement about rows in DuckDB's words, kept by its text and by where names are found.

    It is not copied, since fakesnow only reads it from here on.
    """
    text = statement.meta.get(_TEXT)  # none for a part of a statement
    varies = cursor._conn.variables._variables or not isinstance(statement, _ROWS)
    if varies or text is None or any(word in text.upper() for word in _BY_CALL):
        return _rewrite(cursor, statement, params)
    key = (text, cursor._conn.database, cursor._conn.schema)
    if key not in _kept:
        _kept[key] = _rewrite(cursor, statement, params)
    return _kept[key]


def _described(cursor: FakeSnowflakeCursor) -> list[Any]:
    """Names and types of the columns of the last answer; its SQL is DuckDB's own already."""
    if ";" in cursor._last_sql:
        return _describe(cursor)
    return cursor._duck_conn.execute(f"DESCRIBE {cursor._last_sql}", cursor._last_params).fetchall()
