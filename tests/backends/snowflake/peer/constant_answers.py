"""Keep what fakesnow makes of constant answers, which are most of the peer's statements.

It rewrites each statement in more than seventy passes, which take far longer than DuckDB's answer.
"""

from __future__ import annotations

from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

_rewrite = FakeSnowflakeCursor._transform
_kept: dict[str, exp.Expression] = {}


def keep_constant_answers() -> None:
    """From now on in this process; rewritten anew is what depends on a session or on its data."""
    FakeSnowflakeCursor._transform = _rewritten


def _rewritten(cursor: FakeSnowflakeCursor, statement: Any, params: Any) -> Any:
    if params or not _is_constant(statement):
        return _rewrite(cursor, statement, params)
    text = statement.sql(dialect="snowflake")
    if text not in _kept:
        _kept[text] = _rewrite(cursor, statement, params)
    return _kept[text].copy()


def _is_constant(statement: Any) -> bool:
    """A SELECT of literals alone: no table, no function, no parameter."""
    if not isinstance(statement, exp.Select):
        return False
    varying = (exp.Table, exp.Func, exp.Placeholder, exp.Parameter, exp.SessionParameter)
    return not any(
        isinstance(node, varying) and not isinstance(node, exp.Cast) for node in statement.walk()
    )
