"""The groups of cases, from CSV files as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import DataError, MissingFileError, UnreadableFileError
from lungreg.sources import read_groups


@pytest.mark.parametrize(
    "text",
    [
        "case_id,group\na,p1\nb,p1\nc,p2\n",
        "\ufeffcase_id;group;age\r\na;p1;3\r\nb;p1;4\r\nc;p2;5\r\n",
        'group, case_id\np1, "a"\np1,b\np2,c\n\n',
    ],
)
def test_groups_are_read(tmp_path: Path, text: str) -> None:
    """Any order of columns, others beside them, either separator."""
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    assert read_groups(tmp_path / "g.csv") == {"a": "p1", "b": "p1", "c": "p2"}


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "columns case_id and group"),
        (b"case,patient\na,b\n", "columns case_id and group"),
        (b"case_id,group\na,\n", "an empty entry"),
        (b"case_id,group\na\n", "an empty entry"),
        (b"case_id,group\na,p\na,q\n", "belongs to one group"),
        (b"\xff\xfe\x00", "text in UTF-8"),
        (b"case_id,group\na," + b"p" * 200_000, "is CSV"),
    ],
)
def test_groups_that_are_none_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    """Each fault in its own words."""
    (tmp_path / "g.csv").write_bytes(data)
    with pytest.raises(DataError, match=match):
        read_groups(tmp_path / "g.csv")


def test_missing_groups_are_reported(tmp_path: Path) -> None:
    """A file that is named must be there; a folder is none."""
    with pytest.raises(MissingFileError):
        read_groups(tmp_path / "g.csv")
    with pytest.raises(UnreadableFileError):
        read_groups(tmp_path)
