"""Files from folders, archives and URLs, in the layouts that people have them in."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lungreg.config import NAMED_SOURCES, Ingest
from lungreg.errors import ConfigError, DataError, MissingFileError, UnreadableFileError
from lungreg.sources.archives import unpack
from lungreg.sources.case import SourceCase, load_landmarks
from lungreg.sources.downloads import (
    ZENODO_URL,
    OnBytes,
    fetch_url,
    fetch_zenodo,
    ignore_bytes,
    make_private,
)
from lungreg.sources.layouts import list_learn2reg, list_zenodo
from lungreg.sources.pattern import list_pattern

__all__ = ["SourceCase", "list_cases", "load_landmarks", "open_source", "read_groups"]

ZENODO_DATASET = "zenodo-lung-ct"
_GROUP_COLUMNS = ("case_id", "group")


@contextmanager
def open_source(
    settings: Ingest,
    cache: Path,
    *,
    on_bytes: OnBytes = ignore_bytes,
    zenodo_url: str = ZENODO_URL,
) -> Iterator[Path]:
    """Give the folder of a source, unpacked into a temporary one where it is an archive.

    A download is removed once the block has ended without an error, unless the settings keep it
    or it is the public dataset; after an error the next call goes on with it.

    Args:
        settings: `source`, `checksum`, `keep_download` and the caps on archives.
        cache: Where downloads are kept and archives are unpacked for the time being; it becomes
            this user's alone.
        on_bytes: Called after every chunk of a download; not for a file in the cache.
        zenodo_url: Where Zenodo answers.

    Raises:
        ConfigError: No source, or one that is made here ("simulate").
        MissingFileError: Nothing at the path or URL.
        UnreadableFileError: Neither folder nor archive, damaged, or a download that failed.
        UnsafeInputError: An archive that would leave its folder or exceeds a cap.
        StoreUnavailableError: No room to unpack.
    """
    path = _locate(settings, cache, on_bytes, zenodo_url)
    if path.is_dir():
        yield path
        return
    make_private(cache)
    with TemporaryDirectory(prefix="unpacked-", dir=cache) as folder:
        max_bytes = int(settings.max_unpacked_gb * 1e9)
        unpack(path, Path(folder), max_members=settings.max_members, max_bytes=max_bytes)
        yield Path(folder)
    if "://" in str(settings.source) and not settings.keep_download:
        path.unlink(missing_ok=True)


def list_cases(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Find the cases of a folder in the layout of the settings, ordered by case id.

    A case that lacks a file or has two is listed with its problem; hidden files are passed over.

    Raises:
        DataError: No case at all, or an index that cannot be read.
        UnreadableFileError: A folder that may not be read.
    """
    try:
        return _list_cases(folder, settings)
    except OSError as error:
        msg = "the folders of a source must be readable"
        mend = "check permissions"
        raise UnreadableFileError(msg, got=error.strerror, mend=mend, where=folder) from error


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
        if not columns.issuperset(_GROUP_COLUMNS):
            msg = "groups have the columns case_id and group"
            raise DataError(msg, got=f"{len(columns)} other columns", mend=mend, where=path)
        return _groups(rows, path)
    except csv.Error as error:
        msg = "the file of ingest.groups is CSV"
        raise DataError(msg, got=str(error), mend=mend, where=path) from error


def _list_cases(folder: Path, settings: Ingest) -> list[SourceCase]:
    if settings.layout == "zenodo":
        return list_zenodo(folder)
    if settings.layout == "learn2reg":
        return list_learn2reg(folder)
    if settings.pattern is None:
        msg = "layout 'pattern' needs ingest.pattern with fixed and moving"
        raise ConfigError(msg)
    return list_pattern(folder, settings.pattern)


def _groups(rows: csv.DictReader[str], path: Path) -> dict[str, str]:
    groups: dict[str, str] = {}
    for row in rows:
        named = {(key or "").strip(): value for key, value in row.items() if key is not None}
        case_id, group = ((named[key] or "").strip() for key in _GROUP_COLUMNS)
        if not case_id or not group:
            msg = "every row of groups names a case and its group"
            raise DataError(msg, got="an empty entry", where=f"{path}, line {rows.line_num}")
        if groups.setdefault(case_id, group) != group:
            msg = "a case belongs to one group"
            raise DataError(msg, got="two", where=f"{path}, line {rows.line_num}")
    return groups


def _locate(settings: Ingest, cache: Path, on_bytes: OnBytes, zenodo_url: str) -> Path:
    source = settings.source
    if source is None or (source in NAMED_SOURCES and source != ZENODO_DATASET):
        msg = "ingest.source names a folder, an archive, a URL or a dataset to be opened"
        raise ConfigError(msg, got=source, mend="set ingest.source")
    if source == ZENODO_DATASET:
        return fetch_zenodo(cache, on_bytes=on_bytes, zenodo_url=zenodo_url)
    if "://" in source:
        return fetch_url(source, cache, checksum=settings.checksum, on_bytes=on_bytes)
    path = Path(source)
    if not path.exists():
        msg = "the source must be there"
        raise MissingFileError(msg, got="nothing", mend="check ingest.source", where=path)
    return path
