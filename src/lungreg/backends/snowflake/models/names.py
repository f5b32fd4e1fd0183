"""Names of models and versions: those of lungreg, and as Snowflake spells them."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_PLAIN_THERE = re.compile(r"[A-Z_][A-Z0-9_]*")
_VERSION = re.compile(r"V([1-9][0-9]*)")


def identifier_of(name: str) -> str:
    """A checked name as an identifier in SQL: LUNG_CT for lung_ct, and lung-ct in quotes."""
    return name.upper() if _PLAIN.fullmatch(name) else f'"{name}"'


def name_of(stored: str) -> str:
    """The name that lungreg uses for a stored one: the reverse of `identifier_of`."""
    return stored.lower() if _PLAIN_THERE.fullmatch(stored) else stored


def confusable(name: str, other: str) -> bool:
    """Whether Snowflake or its client takes two names for one.

    LUNG_CT and lung_ct are the same identifier; and the client looks a model up with LIKE, where
    case does not matter and "_" stands for any character, and then wants a single answer.
    """
    pairs = zip(name.lower(), other.lower(), strict=False)
    return len(name) == len(other) and all(a == b or "_" in (a, b) for a, b in pairs)


def version_name(number: str) -> str:
    """Snowflake's name of a version: "3" is V3."""
    return f"V{number}"


def version_number(stored: str) -> str | None:
    """The number of a stored version; None where its name is not one of lungreg."""
    found = _VERSION.fullmatch(stored)
    return found[1] if found else None
