"""Statements as they come from a client, and answers as SQL."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Answer = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Names and rows."""
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
    """The answer to a statement that yields the rows."""
    whole = [*rows]
    columns = [_column([row[place] for row in whole]) for place in range(len(names))]
    data = {
        "rowtype": [
            {
                "name": name,
                "nullable": True,
                "length": None,
                "precision": None,
                "scale": None,
                **kind,
            }
            for name, (kind, _) in zip(names, columns, strict=True)
        ],
        "rowset": [[*row] for row in zip(*(texts for _, texts in columns), strict=True)],
        "total": len(whole),
        "returned": len(whole),
        "queryId": str(uuid.uuid4()),
        "queryResultFormat": "json",
    }
    return succeeded(data)


def _column(values: Sequence[object]) -> tuple[dict[str, object], list[str | None]]:
    """Type and texts of a column: of truth values, of numbers, or of text."""
    known = [value for value in values if value is not None]
    texts = [None if value is None else str(value) for value in values]
    if not known or not all(isinstance(value, int | float) for value in known):
        return {"type": "text", "length": 16777216}, texts
    if all(isinstance(value, bool) for value in known):
        return {"type": "boolean"}, [text and str(int(text == "True")) for text in texts]
    if all(isinstance(value, int) for value in known):
        return {"type": "fixed", "precision": 38, "scale": 0}, texts
    return {"type": "real"}, texts


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
