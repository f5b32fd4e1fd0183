"""Points of one scan as CSV: three numbers a line, with or without titles and labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from lungreg.errors import DataError
from lungreg.formats.points.point_list import PointList
from lungreg.formats.points.text import decode_text, encode_text, is_number
from lungreg.formats.points.titles import name_a_world, require_xyz

_AXES = ("x", "y", "z")
_LABEL_TITLES = ("label", "name", "id")


def decode_points_csv(data: bytes) -> PointList:
    """Read points of one scan.

    Commas, semicolons (then a comma may be the decimal mark), tabs or spaces separate the fields.
    With a line of titles, the columns x, y and z are read, and label, name or id as the labels;
    other titles name three columns in this order, such as px, py, pz. Without titles there are
    three numbers a line, and at most one column of text, the labels.

    Raises:
        DataError: No text, no points, not three numbers a line, or titles of something else.
    """
    rows = _rows(decode_text(data, what="a list of points"))
    if not rows:
        msg = "a list of points holds at least one"
        raise DataError(msg, got="none")
    titled = sum(is_number(field) for field in rows[0]) < 3
    titles = [field.strip().lower() for field in rows[0]] if titled else []
    body = rows[1:] if titled else rows
    if not body:
        msg = "a list of points holds at least one"
        raise DataError(msg, got="only a line of titles")
    if len({len(row) for row in body} | ({len(titles)} if titled else set())) > 1:
        msg = "every line of a list of points has as many fields as the others"
        raise DataError(msg, got="lines of several lengths")
    axes, label = _columns(titles, body[0])
    in_mm = bool(titles) and name_a_world([titles[axis] for axis in axes])
    return PointList(
        points=np.array([[_number(row[axis]) for axis in axes] for row in body]),
        frame=None,
        labels=() if label is None else tuple(row[label].strip() for row in body),
        titled=titled,
        in_mm=in_mm,
    )


def encode_points_csv(listed: PointList) -> bytes:
    """Write points as CSV: x, y, z and, if they have some, labels; six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if listed.titled:
        writer.writerow([*_AXES, *(["label"] if listed.labels else [])])
    for index, point in enumerate(listed.points):
        label = [listed.labels[index]] if listed.labels else []
        writer.writerow([*(f"{value:.6f}" for value in point), *label])
    return encode_text(text.getvalue())


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if any(";" in line for line in lines):
        rows = csv.reader(lines, delimiter=";")
        return [[_with_point(field) for field in row] for row in rows]
    if any("," in line for line in lines):
        return [[field.strip() for field in row] for row in csv.reader(lines)]
    return [line.split() for line in lines]


def _with_point(field: str) -> str:
    """A number with a decimal comma as one with a point; other text as it is."""
    changed = field.strip().replace(",", ".")
    return changed if is_number(changed) else field.strip()


def _columns(titles: Sequence[str], first: Sequence[str]) -> tuple[list[int], int | None]:
    """Which columns hold x, y, z, and which the labels."""
    if all(axis in titles for axis in _AXES):
        named = [titles.index(title) for title in _LABEL_TITLES if title in titles]
        return [titles.index(axis) for axis in _AXES], named[0] if named else None
    numbers = [index for index, field in enumerate(first) if is_number(field)]
    texts = [index for index, field in enumerate(first) if not is_number(field)]
    if len(numbers) != 3 or len(texts) > 1:
        msg = "a line of a list of points has three numbers, x y z, and at most one label"
        got = f"{len(numbers)} numbers and {len(texts)} other fields"
        mend = "give the points of one scan only, or name the columns x, y and z in a first line"
        raise DataError(msg, got=got, mend=mend)
    if titles:
        require_xyz([titles[index] for index in numbers], "a list of points are x, y, z")
    return numbers, texts[0] if texts else None


def _number(field: str) -> float:
    if not is_number(field):
        msg = "coordinates of points are numbers"
        raise DataError(msg, got="text between them", mend="remove or complete such lines")
    return float(field)
