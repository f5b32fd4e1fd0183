"""The groups of cases, from CSV files as people write them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from lungreg.errors import ConfigError, DataError, MissingFileError, UnreadableFileError
from lungreg.records import same_form
from lungreg.sources import match_groups, read_groups


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


class TestMatch:
    def test_spelling_of_accents_does_not_count(self) -> None:
        """A spreadsheet writes one letter, a file system two; the source's own spelling stays."""
        composed, apart = (unicodedata.normalize(form, "Mül\u00e9") for form in ("NFC", "NFD"))
        assert composed != apart
        for written, named in ((composed, apart), (apart, composed)):
            found = match_groups({same_form(written): "p1"}, [named])
            assert (found.groups, found.notes) == ({named: "p1"}, ())

    def test_rows_and_cases_left_over_are_told(self) -> None:
        """By number and name, or by number alone where names are secret."""
        groups = {"1": "p1", "002": "p1"}
        found = match_groups(groups, ["001", "002", "003"])
        assert found.groups == {"002": "p1"}
        assert [note.split(": ")[1] for note in found.notes] == ["1 (1)", "2 (001, 003)"]
        secret = match_groups(groups, ["001", "002", "003"], show_ids=False)
        assert [note.split(": ")[1] for note in secret.notes] == ["1", "2"]

    def test_a_table_of_other_cases_is_refused(self) -> None:
        """Ids that lost their zeros: a patient would be learned from and tested on."""
        with pytest.raises(ConfigError, match=r"none of 2 rows, such as '1'; .* such as '001'"):
            match_groups({"1": "p1", "2": "p1"}, ["001", "002"])
        with pytest.raises(ConfigError, match="got none of 1 row; write the ids as the source has"):
            match_groups({"MAX": "p1"}, ["MAX_1"], show_ids=False)

    def test_no_table_is_no_warning(self) -> None:
        """Groups are optional."""
        assert match_groups({}, ["001"]).notes == ()
