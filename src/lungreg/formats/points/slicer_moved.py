"""Slicer's lists of points with other coordinates: all else stays but what told of the old ones."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.points.fcsv_lines import FcsvLine, record_text
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

_OF_POINTS = ("Fiducial", "Line", "Angle", "Curve", "ClosedCurve")
"""Kinds of markups whose points say where they lie. Others become lists of fiducials."""
_OF_OLD_PLACES = (
    *("measurements", "center", "orientation", "size", "normal", "objectToBase", "baseToNode"),
    *("roiType", "insideOut", "planeType", "sizeMode", "autoScalingFactor", "planeBounds"),
)
_OF_OLD_PLACE = ("orientation", "associatedNodeID")
"""Of one point: its axes, and the scan that it was placed in."""
_NOTHING_KNOWN = {"ow": "0", "ox": "0", "oy": "0", "oz": "1", "associatedNodeID": ""}
"""The same in columns of a .fcsv, which have to stay: as of a point of which neither is known."""


def move_fcsv(data: bytes, listed: PointList) -> bytes:
    """The .fcsv that points were read from, with their new coordinates in RAS or LPS.

    Args:
        data: The file; ids, labels, descriptions and all other columns stay, and so do its comments
            but for a coordinate system that is another one now, and the ends of its lines. What
            told of the old places is left out: the axes of points, and the scan that they were
            placed in. Slicer keeps both where it applies a transform, in a scene where that scan
            can go along; here the points lie in another scan.
        listed: As many points, in its order.

    Raises:
        DataError: Points in another frame.
    """
    frame, found = world_frame(listed), read_fcsv(data)
    for row, point in zip(found.rows, listed.points, strict=True):
        for axis, value in zip(found.axes, point, strict=True):
            row[axis] = f"{value:.6f}"
        for column, title in enumerate(found.titles[: len(row)]):
            row[column] = _NOTHING_KNOWN.get(title, row[column])
    lines = [
        record_text(line.fields, line.end) if line.fields else line.text for line in found.lines
    ]
    if frame is not found.frame:
        lines = _in_system(found.lines, lines, frame)
    mark = codecs.BOM_UTF8 if found.has_mark else b""
    return mark + "".join(lines).encode()


def move_markups(data: bytes, listed: PointList) -> bytes:
    """The .mrk.json that points were read from, with their new coordinates.

    Args:
        data: The file; each of its lists stays in its own coordinate system, with the ids, labels
            and descriptions of its points and how it is shown. What told of the old places is left
            out: measurements, such as the length of a line, axes of points, and the scan that they
            were placed in. A region of interest or a plane, which its points alone do not define,
            becomes a list of fiducials.
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
            _leave_out(point, _OF_OLD_PLACE)
            point["position"] = [round(float(value), 6) for value in place]
        _leave_out(markup, _OF_OLD_PLACES)
        if markup.get("type") not in _OF_POINTS:
            markup["type"] = _OF_POINTS[0]
    return json.dumps(document, indent=2).encode()


def _leave_out(told: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        told.pop(name, None)


def _in_system(before: Sequence[FcsvLine], lines: Sequence[str], frame: Frame) -> list[str]:
    """The lines of a file with one that names this coordinate system.

    It stands where another one was named, else behind a comment at the top.
    """
    end = before[0].end or "\n"
    named = [place for place, line in enumerate(before) if _names_system(line)]
    kept = [line for place, line in enumerate(lines) if place not in named]
    place = named[0] if named else int(before[0].text.startswith("#"))
    kept.insert(place, f"# CoordinateSystem = {frame.value.upper()}{end}")
    return kept


def _names_system(line: FcsvLine) -> bool:
    found = FCSV_HEADER.match(line.text)
    return found is not None and found[1].lower() == "coordinatesystem"


def _in_system_of(
    markup: dict[str, Any], points: NDArray[np.float64], frame: Frame
) -> NDArray[np.float64]:
    """Points in RAS or LPS, in the coordinate system of a list."""
    own = frame_named(str(markup.get("coordinateSystem", DEFAULT_MARKUPS_FRAME)))
    return points if own is frame else np.asarray(flip_lps(points))
