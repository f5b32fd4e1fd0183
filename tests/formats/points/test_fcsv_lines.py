"""The lines of a .fcsv file."""

from __future__ import annotations

import pytest

from lungreg.errors import DataError
from lungreg.formats.points.fcsv_lines import record_text, split_lines

TEXTS = [
    "# a comment, \"one\nF-1,2\n\n#\n'F',3",
    '1,"over\n# two lines\r\nand three",2\n# behind it\n3,,4\n',
    "label \x0b\x85\u2028 of one line,1\r\n",
    '"#1",2\n',
    "old,1\rMac,2\r",
]
RECORDS = [
    [["F-1", "2"], ["'F'", "3"]],
    [["1", "over\n# two lines\r\nand three", "2"], ["3", "", "4"]],
    [["label \x0b\x85\u2028 of one line", "1"]],
    [["#1", "2"]],
    [["old", "1"], ["Mac", "2"]],
]


@pytest.mark.parametrize(("text", "records"), list(zip(TEXTS, RECORDS, strict=True)))
def test_records_and_comments_are_told_apart(text: str, records: list[list[str]]) -> None:
    """Nothing is lost, and records come out as they went in."""
    lines = list(split_lines(text))
    assert "".join(line.text for line in lines) == text
    assert [line.fields for line in lines if line.fields] == records
    for line in lines:
        assert not line.fields or record_text(line.fields, line.end) == line.text


def test_each_line_has_its_end() -> None:
    """The last one may have none."""
    assert [line.end for line in split_lines('#\r\n1,"\n"\n2\r3')] == ["\r\n", "\n", "\r", ""]


@pytest.mark.parametrize("text", ['1,"open\n2,b\n', '"a"b,1\n', f'1,"{"a" * 200_000}"\n'])
def test_quotes_that_do_not_close_are_refused(text: str) -> None:
    """They would swallow the points behind them."""
    with pytest.raises(DataError, match="begins with a quote ends with one"):
        list(split_lines(text))
