"""The versions of one model in Snowflake's Model Registry, and their aliases.

The alias "champion" is the model's default version: Snowflake makes the first version the default
and moves it in one statement. Other aliases are in the versions' metadata, since Snowflake lets a
version have one alias only, and no hyphen in it. Where Snowflake can hold an alias, it is also set
as Snowflake's own, so that SQL finds the version by it.
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
class StoredVersion:
    """One version."""

    metadata: Mapping[str, Any]
    """As stored: metrics, and our aliases with the time that each was set."""
    native: frozenset[str]
    """Aliases that Snowflake itself knows, without the three of the system."""


@dataclass(frozen=True, kw_only=True)
class StoredVersions:
    """The complete versions of one model."""

    versions: Mapping[str, StoredVersion]
    """By number, in order."""
    highest: int
    """Highest number that any version has, incomplete ones too; 0 for none."""
    default: str | None
    """Number of the default version; None where it is not one of lungreg."""

    @property
    def aliases(self) -> dict[str, str]:
        """Number by alias, sorted by alias; where two versions have one, the latest counts."""
        since: dict[str, tuple[str, str]] = {}
        for number, version in self.versions.items():
            for alias, time in version.metadata.get(_ALIASES, {}).items():
                since[alias] = max(since.get(alias, ("", "")), (str(time), number))
        found = {alias: number for alias, (_, number) in since.items()}
        if self.versions:
            first = next(iter(self.versions))
            is_ours = self.default is not None and self.default in self.versions
            found[CHAMPION] = str(self.default) if is_ours else first
        return dict(sorted(found.items()))


NO_VERSIONS = StoredVersions(versions={}, highest=0, default=None)


def default_versions(source: SessionSource) -> dict[str, str]:
    """Snowflake's name of each model's default version, by the model's name, sorted.

    Models whose names lungreg could not have given are left out.
    """
    rows = source.run(f"SHOW MODELS IN SCHEMA {source.settings.utils}")
    found = {name_of(row["name"]): str(row["default_version_name"]) for row in rows}
    return {name: found[name] for name in sorted(found) if is_model_name(name)}


def read_versions(source: SessionSource, name: str, default: str) -> StoredVersions:
    """The versions of a model that exists.

    Args:
        source: Sessions.
        name: Of the model.
        default: Snowflake's name of its default version.
    """
    rows = source.run(f"SHOW VERSIONS IN MODEL {full_name(source.settings, name)}")
    numbered = {number: row for row in rows if (number := version_number(row["name"]))}
    return StoredVersions(
        versions={
            number: _stored(numbered[number])
            for number in sorted(numbered, key=int)
            if str(numbered[number]["comment"] or "").startswith(MARK)
        },
        highest=max(map(int, numbered), default=0),
        default=version_number(default),
    )


def set_default(source: SessionSource, name: str, number: str) -> None:
    """Make a version the default."""
    model = full_name(source.settings, name)
    source.run(f"ALTER MODEL {model} SET DEFAULT_VERSION = {version_name(number)}")


def set_alias(
    source: SessionSource, name: str, stored: StoredVersions, number: str, alias: str
) -> None:
    """Set an alias of a version and remove it from the others.

    It is set before it is removed, so that there is always a version of this alias. Metadata are
    read and written as a whole: of two aliases that are set of one version at the same moment, one
    may be lost.
    """
    for each in sorted(stored.versions, key=lambda other: other != number):
        metadata = stored.versions[each].metadata
        aliases = dict(metadata.get(_ALIASES, {}))
        if each == number:
            aliases[alias] = datetime.now(UTC).isoformat()
        elif aliases.pop(alias, None) is None:
            continue
        _write_metadata(source, name, each, {**metadata, _ALIASES: aliases})
    _set_native_alias(source, name, stored, number, alias)


def full_name(settings: SnowflakeBackend, name: str) -> str:
    """A model's name with database and schema, as statements spell it."""
    return f"{settings.utils}.{identifier_of(name)}"


def _stored(row: Any) -> StoredVersion:
    native = frozenset(json.loads(row["aliases"] or "[]")) - _SYSTEM
    return StoredVersion(metadata=json.loads(row["metadata"] or "{}"), native=native)


def _set_native_alias(
    source: SessionSource, name: str, stored: StoredVersions, number: str, alias: str
) -> None:
    """Set Snowflake's own alias too, unless it cannot be one or the version has another."""
    native = alias.upper()
    if not _NATIVE.fullmatch(alias) or native in _SYSTEM or stored.versions[number].native:
        return
    change = f"ALTER MODEL {full_name(source.settings, name)} VERSION"
    for each, version in stored.versions.items():
        if native in version.native:
            source.run(f"{change} {version_name(each)} UNSET ALIAS")
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
