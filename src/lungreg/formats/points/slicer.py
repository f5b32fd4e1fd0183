"""3D Slicer's lists of points: fiducials (.fcsv) and markups (.mrk.json)."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lungreg.errors import DataError
from lungreg.formats.points.fcsv_lines import FcsvLine, record_text, split_lines
from lungreg.formats.points.point_list import PointList
from lungreg.formats.points.text import decode_text, encode_text, is_number
from lungreg.spatial.geometry import Frame, flip_lps

_FRAMES = {
    "RAS": Frame.RAS,
    "0": Frame.RAS,
    "LPS": Frame.LPS,
    "1": Frame.LPS,
    "IJK": Frame.VOXEL,
    "2": Frame.VOXEL,
}
_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
DEFAULT_MARKUPS_FRAME = "LPS"
FCSV_HEADER = re.compile(r"^#\s*(CoordinateSystem|columns)\s*=\s*(.+?)\s*$", re.IGNORECASE)
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)


@dataclass(frozen=True, kw_only=True)
class Fcsv:
    """A .fcsv file, read as text."""

    lines: list[FcsvLine]
    """All of them, in order."""
    has_mark: bool
    """Whether it begins with a byte order mark."""
    titles: list[str]
    """Of the columns."""
    frame: Frame

    @property
    def rows(self) -> list[list[str]]:
        """The fields of each record."""
        return [line.fields for line in self.lines if line.fields]

    @property
    def axes(self) -> list[int]:
        """The columns of x, y and z."""
        return [self.titles.index(axis) for axis in "xyz"]


def read_fcsv(data: bytes) -> Fcsv:
    """Read the lines of a .fcsv file of any version of Slicer.

    Raises:
        DataError: No text, quotes that do not close, an unknown coordinate system, or no columns x,
            y and z.
    """
    lines = list(split_lines(decode_text(data, what="a .fcsv file")))
    found = [match for line in lines if (match := FCSV_HEADER.match(line.text))]
    header = {match[1].lower(): match[2] for match in found}
    titles = [title.strip() for title in header.get("columns", _FCSV_COLUMNS).split(",")]
    if not {"x", "y", "z"} <= set(titles):
        msg = "a .fcsv file has columns x, y and z"
        raise DataError(msg, got="others", mend="save it again in 3D Slicer")
    return Fcsv(
        lines=lines,
        has_mark=data.startswith(codecs.BOM_UTF8),
        titles=titles,
        frame=frame_named(header.get("coordinatesystem", "RAS")),
    )


def decode_fcsv(data: bytes) -> PointList:
    """Read a .fcsv of any version of Slicer.

    The coordinate system is named RAS, LPS or IJK, or 0, 1 or 2 by old versions; without one it is
    RAS, as Slicer takes it.

    Raises:
        DataError: No text, no points, an unknown coordinate system or coordinates that are no
            numbers.
    """
    found = read_fcsv(data)
    rows, axes = found.rows, found.axes
    if not all(len(row) > max(axes) and all(is_number(row[a]) for a in axes) for row in rows):
        msg = "every line of a .fcsv file holds x, y and z"
        raise DataError(msg, got="a line that does not", mend="save it again in 3D Slicer")
    titles = found.titles
    label = titles.index("label") if "label" in titles else len(titles)
    return PointList(
        points=np.array([[float(row[axis]) for axis in axes] for row in rows]).reshape(-1, 3),
        frame=found.frame,
        labels=tuple(row[label] if label < len(row) else "" for row in rows),
    )


def encode_fcsv(listed: PointList) -> bytes:
    """Write points in RAS or LPS as Slicer 4.11 and later do.

    Raises:
        DataError: Points in another frame.
    """
    frame = world_frame(listed)
    lines = [
        "# Markups fiducial file version = 4.11\n",
        f"# CoordinateSystem = {frame.value.upper()}\n",
        f"# columns = {_FCSV_COLUMNS}\n",
    ]
    for index, (point, label) in enumerate(zip(listed.points, _labels(listed), strict=True)):
        where = [f"{value:.6f}" for value in point]
        fields = [str(index + 1), *where, *"0001110", label, "", ""]
        lines.append(record_text(fields, "\n"))
    return encode_text("".join(lines))


def decode_markups(data: bytes) -> PointList:
    """Read the control points of a .mrk.json, of all its lists one after the other.

    Raises:
        DataError: Not Slicer's markups, no points, a point without a place, an unknown coordinate
            system, or a unit other than mm.
    """
    try:
        lists = json.loads(decode_text(data, what="a .mrk.json file"))["markups"]
        read = [_read_markup(markup) for markup in lists]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = "a .mrk.json file holds Slicer's markups with controlPoints that have positions"
        mend = "save it again in 3D Slicer"
        raise DataError(msg, got=type(error).__name__, mend=mend) from error
    frame = read[0].frame if read else None
    if not read or frame is None:
        msg = "a .mrk.json file holds at least one list of points"
        raise DataError(msg, got="none")
    points = [p.points if p.frame is frame else flip_lps(p.points) for p in read]
    labels = tuple(label for p in read for label in p.labels)
    return PointList(points=np.concatenate(points), frame=frame, labels=labels)


def encode_markups(listed: PointList) -> bytes:
    """Write points in RAS or LPS as one list of fiducials.

    Raises:
        DataError: Points in another frame.
    """
    frame = world_frame(listed)
    labels = _labels(listed)
    points = [
        {"id": str(index + 1), "label": labels[index], "position": [round(v, 6) for v in point]}
        for index, point in enumerate(listed.points.tolist())
    ]
    markup = {
        "type": "Fiducial",
        "coordinateSystem": frame.value.upper(),
        "coordinateUnits": "mm",
        "controlPoints": points,
    }
    return json.dumps({"@schema": _SCHEMA, "markups": [markup]}, indent=2).encode()


def _read_markup(markup: dict[str, Any]) -> PointList:
    frame = frame_named(str(markup.get("coordinateSystem", DEFAULT_MARKUPS_FRAME)))
    if frame is Frame.VOXEL:
        msg = "the coordinate system of a .mrk.json file is LPS or RAS"
        raise DataError(msg, got="IJK")
    units = markup.get("coordinateUnits", "mm")
    if units != "mm" and "mm" not in units:
        msg = "points are in mm"
        raise DataError(msg, got="another unit", mend="set the scene's length unit to mm")
    points = markup["controlPoints"]
    placed = [point.get("positionStatus", "defined") == "defined" for point in points]
    if not all(placed):
        msg = "every control point has been placed"
        raise DataError(
            msg, got=f"{placed.count(False)} that have not", mend="place or remove them"
        )
    return PointList(
        points=np.array([point["position"] for point in points], dtype=np.float64).reshape(-1, 3),
        frame=frame,
        labels=tuple(str(point.get("label", "")) for point in points),
    )


def frame_named(name: str) -> Frame:
    """The frame of a coordinate system of Slicer.

    Raises:
        DataError: An unknown one.
    """
    try:
        return _FRAMES[name.strip().upper()]
    except KeyError as error:
        msg = "a coordinate system is RAS, LPS or IJK (0, 1 or 2 in old files)"
        raise DataError(msg, got=repr(name[:20])) from error


def world_frame(listed: PointList) -> Frame:
    """The frame of points for Slicer's files.

    Raises:
        DataError: Neither RAS nor LPS.
    """
    if listed.frame not in (Frame.RAS, Frame.LPS):
        msg = "Slicer's points are written in RAS or LPS"
        raise DataError(msg, got="voxels" if listed.frame else "no frame")
    return listed.frame


def _labels(listed: PointList) -> tuple[str, ...]:
    return listed.labels or tuple(f"F-{n + 1}" for n in range(len(listed.points)))
