"""Slicer's lists of points with other coordinates: all else in the file stays as it was."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.points.point_list import PointList
from lungreg.formats.points.slicer import (
    DEFAULT_MARKUPS_FRAME,
    FCSV_HEADER,
    frame_named,
    read_fcsv,
    world_frame,
)
from lungreg.formats.points.text import decode_text
from lungreg.spatial.geometry import Frame, flip_lps


def move_fcsv(data: bytes, listed: PointList) -> bytes:
    """The .fcsv that points were read from, with their new coordinates in RAS or LPS.

    Args:
        data: The file; ids, labels, descriptions and all other columns stay, and so do its lines of
            comments but for a coordinate system that is another one now.
        listed: As many points, in its order.

    Raises:
        DataError: Points in another frame.
    """
    frame, found = world_frame(listed), read_fcsv(data)
    comments = found.comments
    if frame is not found.frame:
        kept = [line for line in comments if not _names_system(line)]
        comments = [*kept[:1], f"# CoordinateSystem = {frame.value.upper()}", *kept[1:]]
    text = io.StringIO()
    text.writelines(f"{line}\n" for line in comments)
    writer = csv.writer(text, lineterminator="\n")
    for row, point in zip(found.rows, listed.points, strict=True):
        for axis, value in zip(found.axes, point, strict=True):
            row[axis] = f"{value:.6f}"
        writer.writerow(row)
    return text.getvalue().encode()


def move_markups(data: bytes, listed: PointList) -> bytes:
    """The .mrk.json that points were read from, with their new coordinates.

    Args:
        data: The file; each of its lists stays in its own coordinate system. Measurements, such as
            the length of a line, are left out: they were of the old places.
        listed: As many points in RAS or LPS, in the order of the lists.

    Raises:
        DataError: Points in another frame.
    """
    frame = world_frame(listed)
    document: dict[str, Any] = json.loads(decode_text(data, what="a .mrk.json file"))
    start = 0
    for markup in document["markups"]:
        points: list[dict[str, Any]] = markup["controlPoints"]
        moved = listed.points[start : start + len(points)]
        start += len(points)
        for point, place in zip(points, _in_system_of(markup, moved, frame), strict=True):
            point["position"] = [round(float(value), 6) for value in place]
        markup.pop("measurements", None)
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _names_system(line: str) -> bool:
    found = FCSV_HEADER.match(line)
    return found is not None and found[1].lower() == "coordinatesystem"


def _in_system_of(
    markup: dict[str, Any], points: NDArray[np.float64], frame: Frame
) -> NDArray[np.float64]:
    """Points in RAS or LPS, in the coordinate system of a list."""
    own = frame_named(str(markup.get("coordinateSystem", DEFAULT_MARKUPS_FRAME)))
    return points if own is frame else np.asarray(flip_lps(points))
