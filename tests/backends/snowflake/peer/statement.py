"""Statements as they come from a client, and answers as SQL."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"'((?:[^'\\]|\\.|'')*)'|(\S+)", re.DOTALL)
_OPTION = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.|'')*'|\S+)", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One statement that a client sent."""

    text: str
    """SQL."""
    binds: tuple[Any, ...] = ()
    """Values bound to it, in order; a list for each column of an array binding."""
    tag: str = ""
    """The query tag that it ran under."""


class SqlError(Exception):
    """What the peer answers instead of rows."""

    def __init__(self, number: int, state: str, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.state = state
        self.message = message


def missing(name: object, kind: str = "Object") -> SqlError:
    """The error for an object that does not exist, or that the role may not see."""
    text = f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized."
    return SqlError(2003, "02000", text)


def parse_request(body: bytes, headers: dict[bytes, bytes]) -> dict[str, Any]:
    """The JSON of a request."""
    is_packed = headers.get(b"content-encoding") == b"gzip"
    request: dict[str, Any] = json.loads(gzip.decompress(body) if is_packed else body)
    return request


def binds_of(request: dict[str, Any]) -> tuple[Any, ...]:
    """The bound values of a request, in order."""
    bindings = request.get("bindings") or {}
    numbered = sorted(bindings.items(), key=lambda item: int(item[0]) if item[0].isdigit() else 0)
    return tuple(binding["value"] for _, binding in numbered)


def tokens_of(sql: str) -> list[str]:
    """Words of a file statement; quoted ones without their quotes and escapes."""
    return [_unescaped(match) for match in _TOKEN.finditer(sql)]


def options_of(sql: str) -> dict[str, str]:
    """KEY = value of a file statement."""
    return {key.upper(): _unquoted(value) for key, value in _OPTION.findall(sql)}


def rows_as_sql(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A SELECT that yields the rows."""
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    if not values:
        nothing = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in names)
        return f"SELECT {nothing} WHERE 1=0"
    return f"SELECT * FROM (VALUES {values}) AS t({columns})"


def rows_as_answer(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dict[str, Any]:
    """The answer to a statement that yields the rows, all of them text."""
    texts = [[None if value is None else str(value) for value in row] for row in rows]
    kind = {"type": "text", "nullable": True, "length": 16777216, "precision": None, "scale": None}
    data = {
        "rowtype": [{"name": name, **kind} for name in names],
        "rowset": texts,
        "total": len(texts),
        "returned": len(texts),
        "queryId": str(uuid.uuid4()),
        "queryResultFormat": "json",
    }
    return succeeded(data)


def succeeded(data: dict[str, Any]) -> dict[str, Any]:
    """The answer that carries these data."""
    return {"data": data, "success": True, "code": None, "message": None}


def literal(value: object) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _unescaped(match: re.Match[str]) -> str:
    quoted, bare = match.groups()
    return bare if quoted is None else _unquoted(f"'{quoted}'")


def _unquoted(text: str) -> str:
    if not text.startswith("'"):
        return text
    return re.sub(r"\\(.)|'(')", lambda found: found[1] or found[2], text[1:-1], flags=re.DOTALL)
