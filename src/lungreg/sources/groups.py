"""Read the group (patient) of each case from a CSV, and give each case of a source its own."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungreg.errors import ConfigError, DataError, MissingFileError, UnreadableFileError
from lungreg.records import counted, same_form

_COLUMNS = ("case_id", "group")
_SHOWN = 5


def read_groups(path: Path) -> dict[str, str]:
    """Read the group (patient) of each case from a CSV with the columns case_id and group.

    Raises:
        MissingFileError: No such file.
        UnreadableFileError: Not a text file in UTF-8.
        DataError: Other columns, an empty entry, or a case in two groups.
    """
    mend = "write a CSV with the columns case_id and group"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        msg = "the file of ingest.groups must be there"
        raise MissingFileError(msg, mend="check its name", where=path) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = "the file of ingest.groups is text in UTF-8"
        raise UnreadableFileError(msg, mend=mend, where=path) from error
    lines = text.splitlines()
    semicolons = bool(lines) and ";" in lines[0] and "," not in lines[0]
    rows = csv.DictReader(lines, delimiter=";" if semicolons else ",", skipinitialspace=True)
    try:
        columns = {(name or "").strip() for name in rows.fieldnames or ()}
        if not columns.issuperset(_COLUMNS):
            msg = "groups have the columns case_id and group"
            raise DataError(msg, got=f"{len(columns)} other columns", mend=mend, where=path)
        return _groups(rows, path)
    except csv.Error as error:
        msg = "the file of ingest.groups is CSV"
        raise DataError(msg, got=str(error), mend=mend, where=path) from error


@dataclass(frozen=True, kw_only=True)
class MatchedGroups:
    """The groups of the cases of a source, and what did not fit."""

    groups: dict[str, str]
    """Group by case id, spelt as the source spells it."""
    notes: tuple[str, ...]
    """Warnings for people."""


def match_groups(
    groups: Mapping[str, str], case_ids: Sequence[str], *, show_ids: bool = True
) -> MatchedGroups:
    """Give each case of a source its group; names are compared in one form of Unicode.

    Args:
        groups: From `read_groups`.
        case_ids: Of the source.
        show_ids: Name cases in errors and warnings; not where they get pseudonyms.

    Raises:
        ConfigError: No row names a case of the source.
    """
    by_form = {same_form(case_id): case_id for case_id in case_ids}
    matched = {by_form[name]: group for name, group in groups.items() if name in by_form}
    if groups and not matched:
        msg = "the rows of ingest.groups name cases of the source"
        got, mend = f"none of {counted(len(groups), 'row')}", "write the ids as the source has them"
        if show_ids:
            got, mend = f"{got}, such as {min(groups)!r}", f"{mend}, such as {min(case_ids)!r}"
        raise ConfigError(msg, got=got, mend=mend)
    lost = [name for name in groups if name not in by_form]
    alone = [case_id for case_id in case_ids if case_id not in matched]
    notes = []
    if lost:
        notes.append(f"rows of ingest.groups that name no case: {_some(lost, show=show_ids)}")
    if groups and alone:
        notes.append(
            "cases without a row in ingest.groups, each a patient of its own then: "
            f"{_some(alone, show=show_ids)}"
        )
    return MatchedGroups(groups=matched, notes=tuple(notes))


def _some(names: Sequence[str], *, show: bool) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"{len(names)} ({shown})" if show else str(len(names))


def _groups(rows: csv.DictReader[str], path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for row in rows:
        named = {(key or "").strip(): value for key, value in row.items() if key is not None}
        case_id, group = (same_form((named[key] or "").strip()) for key in _COLUMNS)
        if not case_id or not group:
            msg = "every row of groups names a case and its group"
            raise DataError(msg, got="an empty entry", where=f"{path}, line {rows.line_num}")
        if groups.setdefault(case_id, group) != group:
            msg = "a case belongs to one group"
            raise DataError(msg, got="two", where=f"{path}, line {rows.line_num}")
    return groups
