"""Replace case ids and groups by random names, and keep the key to them in a private CSV."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lungreg.config import DEFAULT_KEY_FILE, Ingest
from lungreg.errors import ConfigError, StoreUnavailableError
from lungreg.sources.source_case import SourceCase

Kind = Literal["case", "group"]
_COLUMNS = ("kind", "id", "pseudonym")
_PATTERN = re.compile(r"(case|group)-[0-9a-f]{16}")
_PRIVATE = 0o600


def is_pseudonym(name: str) -> bool:
    """Whether a name has the form of a pseudonym."""
    return _PATTERN.fullmatch(name) is not None


@dataclass(frozen=True)
class KeyFile:
    """A CSV with the columns kind, id and pseudonym; rows are added and never changed.

    The file is replaced in one step by one with more rows, so that a process that is killed leaves
    the old file or the new one. Two processes at once wait for each other. Ids in another encoding
    than UTF-8 are kept to the byte.
    """

    path: Path

    def exists(self) -> bool:
        """Whether the file exists, even if it is empty."""
        return self.path.exists()

    def pseudonyms(self, kind: Kind, ids: Iterable[str]) -> dict[str, str]:
        """The pseudonym of each id: the known one, or a new one, already written to the file.

        Raises:
            ConfigError: The file is not a key file, or others can read it.
            StoreUnavailableError: It cannot be read or written.
        """
        wanted = list(dict.fromkeys(ids))
        try:
            with _locked(self.path.resolve()) as path:
                text = _read(path)
                known = _parse(text, path)
                new = [one for one in wanted if (kind, one) not in known]
                taken = set(known.values())
                rows = [(kind, one, _new_pseudonym(kind, taken)) for one in new]
                if rows or not path.exists():
                    _replace(path, text, rows)
        except OSError as error:
            msg = "the key file of pseudonyms can be read and written"
            mend = "choose another place as ingest.key_file"
            raise StoreUnavailableError(
                msg, got=error.strerror, mend=mend, where=self.path
            ) from error
        found = known | {(row_kind, one): pseudonym for row_kind, one, pseudonym in rows}
        return {one: found[kind, one] for one in wanted}


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Lock the key's folder: the file itself is replaced, so a lock on it would be lost."""
    import fcntl  # only where the operating system has it, which `import lungreg` need not know

    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        msg = "the key file of pseudonyms is readable by its owner alone"
        raise ConfigError(msg, got=f"mode {mode:04o}", mend="chmod 600 it", where=path)
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _parse(text: str, path: Path) -> dict[tuple[str, str], str]:
    """Pseudonyms by kind and id.

    Raises:
        ConfigError: The text is not that of a key file.
    """
    known: dict[tuple[str, str], str] = {}
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        rows = [[]]
    if rows and tuple(rows[0]) != _COLUMNS:
        _refuse(path, "another first line")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(_COLUMNS) or not is_pseudonym(row[2]):
            _refuse(path, f"row {number}")
        if known.setdefault((row[0], row[1]), row[2]) != row[2]:
            _refuse(path, f"one id twice, in row {number}")
    if len(set(known.values())) != len(known):
        _refuse(path, "one pseudonym twice")
    return known


def _refuse(path: Path, got: str) -> None:
    msg = "a key file has the columns kind, id and pseudonym, each id and each pseudonym once"
    raise ConfigError(msg, got=got, mend="bring back the file as ingest left it", where=path)


def _new_pseudonym(kind: Kind, taken: set[str]) -> str:
    while (pseudonym := f"{kind}-{secrets.token_hex(8)}") in taken:
        continue
    taken.add(pseudonym)
    return pseudonym


def _replace(path: Path, text: str, rows: Iterable[tuple[str, str, str]]) -> None:
    added = io.StringIO(newline="")
    writer = csv.writer(added, lineterminator="\n")
    if not text:
        writer.writerow(_COLUMNS)
    elif not text.endswith("\n"):
        added.write("\n")
    writer.writerows(rows)
    handle, partial = tempfile.mkstemp(prefix=".lungreg-partial-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), _PRIVATE)
            file.write((text + added.getvalue()).encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """The cases and groups of an ingest under their pseudonyms."""

    cases: list[SourceCase]
    """Ordered by pseudonym: an order by id would show in times, and so reveal the ids."""
    groups: dict[str, str]
    """Pseudonym of the group by pseudonym of the case."""
    key_file: Path


def pseudonymise(
    found: Sequence[SourceCase],
    groups: Mapping[str, str],
    settings: Ingest,
    *,
    on_stage: Collection[str],
) -> Renamed:
    """Rename cases and groups; the key is complete on disk before this returns.

    Args:
        found: Cases under their own ids.
        groups: Group by case id.
        settings: Where the key is.
        on_stage: Case ids in the manifest.

    Raises:
        ConfigError: The stage holds some of the cases under their own ids, or it holds pseudonyms
            and there is no key.
        StoreUnavailableError: The key cannot be read or written.
    """
    key = KeyFile(Path(settings.key_file or DEFAULT_KEY_FILE))
    ids = [source.case_id for source in found]
    _require_no_own_id(ids, on_stage)
    _require_key(key, on_stage)
    named = key.pseudonyms("case", ids)
    grouped = {case_id: groups[case_id] for case_id in ids if case_id in groups}
    group_names = key.pseudonyms("group", grouped.values())
    cases = [replace(source, case_id=named[source.case_id]) for source in found]
    return Renamed(
        cases=sorted(cases, key=lambda source: source.case_id),
        groups={named[case_id]: group_names[group] for case_id, group in grouped.items()},
        key_file=key.path,
    )


def _require_no_own_id(ids: Sequence[str], on_stage: Collection[str]) -> None:
    clear = sum(case_id in on_stage for case_id in ids)
    if clear:
        msg = "cases to be pseudonymised are not on the stage under their own ids"
        mend = "ingest into an empty stage, and remove the old one when it is no longer needed"
        raise ConfigError(msg, got=f"{clear} there already", mend=mend)


def _require_key(key: KeyFile, on_stage: Collection[str]) -> None:
    """Refuse a stage of pseudonyms without its key: every case would be uploaded again."""
    pseudonyms = sum(map(is_pseudonym, on_stage))
    if pseudonyms and not key.exists():
        msg = "a stage that holds pseudonyms is extended with their key file"
        mend = "bring back ingest.key_file; for a site of its own, begin with an empty file (0600)"
        raise ConfigError(msg, got=f"none, and {pseudonyms} pseudonyms", mend=mend, where=key.path)
