"""The lines of a .fcsv file: comments, and records that may go on over several lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from lungreg.errors import DataError


@dataclass(frozen=True, kw_only=True)
class FcsvLine:
    """A comment, an empty line, or a record with all the lines that it takes."""

    text: str
    """As the file has it, with the end of the line."""
    fields: list[str]
    """Of a record; none for the others."""

    @property
    def end(self) -> str:
        """The end of the line; empty at the end of a file without one."""
        return self.text[len(self.text.rstrip("\r\n")) :]


def split_lines(text: str) -> Iterator[FcsvLine]:
    r"""Yield the lines of a file in order.

    Only \n, \r and \r\n end a line, and not within quotes; # begins a comment where a record could
    begin.

    Raises:
        DataError: Quotes that do not close, or a field of more than 131,072 characters.
    """
    source = io.StringIO(text, newline="")
    start = 0
    while line := source.readline():
        is_record = bool(line.strip()) and not line.startswith("#")
        fields = _record(chain([line], source)) if is_record else []
        yield FcsvLine(text=text[start : source.tell()], fields=fields)
        start = source.tell()


def record_text(fields: Sequence[str], end: str) -> str:
    """A record as text, with fields in quotes where they need them.

    Args:
        fields: Of the record.
        end: Of its line.
    """
    text = io.StringIO()
    # With this end both characters get quotes in every version of Python.
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    line = text.getvalue().removesuffix("\r\n")
    if line.startswith("#"):  # no comment
        line = f'"{fields[0]}"{line[len(fields[0]) :]}'
    return line + end


def _record(lines: Iterator[str]) -> list[str]:
    """The fields of the first record; as many lines are taken as it has."""
    try:
        return next(csv.reader(lines, strict=True))
    except csv.Error as error:
        msg = "a field of a .fcsv file that begins with a quote ends with one"
        raise DataError(msg, got=str(error), mend="save it again in 3D Slicer") from error
