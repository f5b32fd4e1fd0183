"""What Snowflake tells of the versions of one model, and of their aliases.

Champion is the model's default version: Snowflake gives a new model its first version as default
and moves it in one statement. Other aliases are in the versions' metadata, since Snowflake lets a
version have one alias only, and no hyphen in it; where it can, it shows them as its own too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models.names import (
    identifier_of,
    name_of,
    version_name,
    version_number,
)
from lungreg.config import SnowflakeBackend
from lungreg.stores import CHAMPION, is_model_name

MARK = "lungreg"
"""Begins the comment of our versions. It is set once the version is complete."""
_ALIASES = "lungreg_aliases"
_SYSTEM = {"DEFAULT", "FIRST", "LAST"}
_NATIVE = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """One version."""

    metadata: Mapping[str, Any]
    """As stored: metrics, and our aliases with the time that each was given."""
    native: frozenset[str]
    """Aliases that Snowflake itself knows, its own three left out."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The complete versions of one model."""

    versions: Mapping[str, Shelved]
    """By number, in order."""
    taken: int
    """Highest number that any version has, incomplete ones too; 0 for none."""
    default: str | None
    """Number of the default version."""

    @property
    def aliases(self) -> dict[str, str]:
        """Number by alias, sorted by alias; of two versions the one last given it counts."""
        given: dict[str, tuple[str, str]] = {}
        for number, version in self.versions.items():
            for alias, since in version.metadata.get(_ALIASES, {}).items():
                given[alias] = max(given.get(alias, ("", "")), (str(since), number))
        found = {alias: number for alias, (_, number) in given.items()}
        if self.versions:
            first = next(iter(self.versions))
            is_ours = self.default is not None and self.default in self.versions
            found[CHAMPION] = str(self.default) if is_ours else first
        return dict(sorted(found.items()))


def default_versions(source: SessionSource) -> dict[str, str]:
    """Snowflake's name of each model's default version, by the model's name, sorted.

    Models of others whose names could not be ours are left out.
    """
    rows = source.run(f"SHOW MODELS IN SCHEMA {source.settings.utils}")
    found = {name_of(row["name"]): str(row["default_version_name"]) for row in rows}
    return {name: found[name] for name in sorted(found) if is_model_name(name)}


def read_shelf(source: SessionSource, name: str, default: str) -> Shelf:
    """The versions of a model that exists.

    Args:
        source: Sessions.
        name: Of the model.
        default: Snowflake's name of its default version.
    """
    rows = source.run(f"SHOW VERSIONS IN MODEL {full_name(source.settings, name)}")
    numbered = {number: row for row in rows if (number := version_number(row["name"]))}
    return Shelf(
        versions={
            number: _shelved(numbered[number])
            for number in sorted(numbered, key=int)
            if str(numbered[number]["comment"] or "").startswith(MARK)
        },
        taken=max(map(int, numbered), default=0),
        default=version_number(default),
    )


def give_default(source: SessionSource, name: str, number: str) -> None:
    """Make a version the default."""
    model = full_name(source.settings, name)
    source.run(f"ALTER MODEL {model} SET DEFAULT_VERSION = {version_name(number)}")


def give_alias(source: SessionSource, name: str, shelf: Shelf, number: str, alias: str) -> None:
    """Give a version an alias and take it from the others.

    The new holder comes first, so that the alias always leads somewhere. Metadata are read and
    written as a whole: of two aliases that one version is given at the same moment, one may be
    lost.
    """
    for holder in sorted(shelf.versions, key=lambda each: each != number):
        metadata = shelf.versions[holder].metadata
        aliases = dict(metadata.get(_ALIASES, {}))
        if holder == number:
            aliases[alias] = datetime.now(UTC).isoformat()
        elif aliases.pop(alias, None) is None:
            continue
        _write_metadata(source, name, holder, {**metadata, _ALIASES: aliases})
    _show(source, name, shelf, number, alias)


def full_name(settings: SnowflakeBackend, name: str) -> str:
    """A model's name with database and schema, as it stands in statements."""
    return f"{settings.utils}.{identifier_of(name)}"


def _shelved(row: Any) -> Shelved:
    native = json.loads(row["aliases"] or "[]")
    return Shelved(metadata=json.loads(row["metadata"] or "{}"), native=frozenset(native) - _SYSTEM)


def _show(source: SessionSource, name: str, shelf: Shelf, number: str, alias: str) -> None:
    """Let SQL find the version by the alias, where Snowflake can hold it."""
    native = alias.upper()
    if not _NATIVE.fullmatch(alias) or native in _SYSTEM or shelf.versions[number].native:
        return
    change = f"ALTER MODEL {full_name(source.settings, name)} VERSION"
    for holder, version in shelf.versions.items():
        if native in version.native:
            source.run(f"{change} {version_name(holder)} UNSET ALIAS")
    source.run(f"{change} {version_name(number)} SET ALIAS = {native}")


def _write_metadata(
    source: SessionSource, name: str, number: str, metadata: Mapping[str, Any]
) -> None:
    # A dollar sign, which would end the text, can only stand inside JSON's strings.
    text = json.dumps(metadata).replace("$", "\\u0024")
    model = full_name(source.settings, name)
    source.run(
        f"ALTER MODEL {model} MODIFY VERSION {version_name(number)} SET METADATA = $${text}$$"
    )
