"""The key file of pseudonyms: private, only ever extended, whole at every moment."""

from __future__ import annotations

import csv
import os
import stat
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from lungreg.errors import ConfigError, LungregError, StoreUnavailableError
from lungreg.sources.pseudonyms import KeyFile, is_pseudonym
from tests.contracts.processes import race

ODD = [
    "case 1",
    "o'brien",
    'the "second"',
    "Müller;ü,",
    "患者",
    "two\nlines\r\n",
    "b\udcffd",
    "=1+1",
]


@pytest.fixture
def key(tmp_path: Path) -> KeyFile:
    """No file yet, in a folder that is not there."""
    return KeyFile(tmp_path / "keys" / "key.csv")


def test_a_case_keeps_its_pseudonym(key: KeyFile) -> None:
    """The same id, asked again or by another process, has the same name; others have others."""
    first = key.pseudonyms("case", ["a", "b"])
    assert KeyFile(key.path).pseudonyms("case", ["c", "a", "a"])["a"] == first["a"]
    again = key.pseudonyms("case", ["a", "b", "c"])
    assert {**again, **first} == again
    assert len(set(again.values())) == 3
    assert all(map(is_pseudonym, again.values()))


def test_names_are_random(tmp_path: Path) -> None:
    """Who knows an id cannot compute its name: another key has another."""
    names = {KeyFile(tmp_path / f"{n}.csv").pseudonyms("case", ["a"])["a"] for n in range(20)}
    assert len(names) == 20
    assert not any("a" in name.removeprefix("case-")[16:] for name in names)


def test_a_group_is_no_case(key: KeyFile) -> None:
    """One id as patient and as case has two names."""
    case, group = key.pseudonyms("case", ["a"])["a"], key.pseudonyms("group", ["a"])["a"]
    assert (case[:5], group[:6]) == ("case-", "group-")


def test_odd_ids_survive(key: KeyFile) -> None:
    """Quotes, separators, line ends and names in another encoding come back to the byte."""
    first = key.pseudonyms("case", ODD)
    assert list(first) == ODD
    assert key.pseudonyms("case", ODD) == first
    with key.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"]: row["pseudonym"] for row in rows} == first


def test_the_file_is_its_owners_alone(key: KeyFile) -> None:
    """0600 from the first byte, whatever the umask, and after every extension."""
    before = os.umask(0)
    try:
        for case_id in ("a", "b"):
            key.pseudonyms("case", [case_id])
            assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert [path.name for path in key.path.parent.iterdir()] == ["key.csv"]


def test_a_file_that_others_read_is_refused(key: KeyFile) -> None:
    """It would be too late to close it in silence."""
    key.pseudonyms("case", ["a"])
    key.path.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 0640; chmod 600") as caught:
        key.pseudonyms("case", ["b"])
    assert str(key.path) not in caught.value.anonymous


def test_what_was_there_stays_to_the_byte(key: KeyFile) -> None:
    """New rows come behind the old ones; nothing new leaves the file untouched."""
    key.pseudonyms("case", ["a", "b"])
    before, inode = key.path.read_bytes(), key.path.stat().st_ino
    key.pseudonyms("case", ["b", "a"])
    assert (key.path.read_bytes(), key.path.stat().st_ino) == (before, inode)
    key.pseudonyms("case", ["c"])
    assert key.path.read_bytes().startswith(before)
    stripped = before.rstrip(b"\n")
    key.path.write_bytes(stripped)
    key.pseudonyms("case", ["d"])
    assert key.path.read_bytes().startswith(stripped + b"\n")


@pytest.mark.parametrize(
    "content",
    [
        "id,pseudonym\na,case-0123456789abcdef\n",
        "kind,id,pseudonym\ncase,a\n",
        "kind,id,pseudonym\ncase,a,case-01234567\n",
        "kind,id,pseudonym\ncase,a,case-0123456789abcdef\ncase,a,case-0123456789abcdee\n",
        "kind,id,pseudonym\ncase,a,case-0123456789abcdef\ncase,b,case-0123456789abcdef\n",
        'kind,id,pseudonym\ncase,"a,case-0123456789abcdef\n',
        "\x00",
    ],
    ids=["columns", "short", "cut", "id-twice", "name-twice", "quote", "garbage"],
)
def test_a_damaged_key_is_refused_and_kept(key: KeyFile, content: str) -> None:
    """Guessing would give a patient two names, or two patients one."""
    key.path.parent.mkdir()
    key.path.write_text(content)
    key.path.chmod(0o600)
    with pytest.raises(ConfigError, match="bring back the file"):
        key.pseudonyms("case", ["c"])
    assert key.path.read_text() == content


def test_an_empty_file_is_a_key_to_begin_with(key: KeyFile) -> None:
    """It says: yes, a new one."""
    key.path.parent.mkdir()
    key.path.touch(0o600)
    assert key.pseudonyms("case", ["a"]) == key.pseudonyms("case", ["a"])


def test_a_link_stays_a_link(key: KeyFile, tmp_path: Path) -> None:
    """The file that it points to grows."""
    key.pseudonyms("case", ["a"])
    link = tmp_path / "link.csv"
    link.symlink_to(key.path)
    assert KeyFile(link).pseudonyms("case", ["a", "b"]) == key.pseudonyms("case", ["a", "b"])
    assert link.is_symlink()


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """Before anything is ingested."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="choose another place") as caught:
        KeyFile(tmp_path / "file" / "key.csv").pseudonyms("case", ["a"])
    assert isinstance(caught.value, LungregError)


def _ask(barrier: Barrier, path: Path) -> dict[str, str]:
    barrier.wait(timeout=60)
    names: dict[str, str] = {}
    for number in range(20):
        names |= KeyFile(path).pseudonyms("case", [f"case {number}"])
    return names


def test_processes_at_once_agree(key: KeyFile) -> None:
    """Nobody's rows are lost, and one id has one name."""
    answers = race(_ask, key.path, processes=3)
    assert answers[0] == answers[1] == answers[2]
    assert key.pseudonyms("case", list(answers[0])) == answers[0]
