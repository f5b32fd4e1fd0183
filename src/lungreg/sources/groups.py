"""Read the group (patient) of each case from a CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from lungreg.errors import DataError, MissingFileError, UnreadableFileError

_COLUMNS = ("case_id", "group")


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


def _groups(rows: csv.DictReader[str], path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for row in rows:
        named = {(key or "").strip(): value for key, value in row.items() if key is not None}
        case_id, group = ((named[key] or "").strip() for key in _COLUMNS)
        if not case_id or not group:
            msg = "every row of groups names a case and its group"
            raise DataError(msg, got="an empty entry", where=f"{path}, line {rows.line_num}")
        if groups.setdefault(case_id, group) != group:
            msg = "a case belongs to one group"
            raise DataError(msg, got="two", where=f"{path}, line {rows.line_num}")
    return groups
