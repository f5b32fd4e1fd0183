"""Read and write the points of one scan, in the format that the file's name ends in.

A new format is one file beside this one and one line in `_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lungreg.errors import DataError
from lungreg.formats.points.point_csv import decode_points_csv, encode_points_csv
from lungreg.formats.points.point_list import PointList, PointSource
from lungreg.formats.points.slicer import decode_fcsv, decode_markups, encode_fcsv, encode_markups
from lungreg.formats.points.slicer_moved import move_fcsv, move_markups


@dataclass(frozen=True, kw_only=True)
class _Format:
    decode: Callable[[bytes], PointList]
    encode: Callable[[PointList], bytes]
    move: Callable[[bytes, PointList], bytes] | None = None
    """A file with other coordinates, and all else that it holds of these points."""


_FORMATS = {
    ".csv": _Format(decode=decode_points_csv, encode=encode_points_csv),
    ".fcsv": _Format(decode=decode_fcsv, encode=encode_fcsv, move=move_fcsv),
    ".mrk.json": _Format(decode=decode_markups, encode=encode_markups, move=move_markups),
}
POINT_SUFFIXES = tuple(_FORMATS)


def decode_points(data: bytes, name: str) -> PointList:
    """Read points from the bytes of a file of this name: .csv, .fcsv or .mrk.json.

    Raises:
        DataError: Another name, or contents that are no points.
    """
    suffix, found = _format(name)
    return replace(found.decode(data), source=PointSource(suffix=suffix, data=data))


def encode_points(listed: PointList, name: str) -> bytes:
    """Write points in the format of a file of this name: .csv, .fcsv or .mrk.json.

    Slicer's files that were read from one of the same format keep what else that holds: ids,
    labels, descriptions, further columns, and how it is shown; but not what told of the old places,
    such as measurements. Between formats labels alone are kept.

    Raises:
        DataError: Another name, or points in a frame that the format does not know.
    """
    suffix, found = _format(name)
    if found.move is not None and listed.source is not None and listed.source.suffix == suffix:
        return found.move(listed.source.data, listed)
    return found.encode(listed)


def _format(name: str) -> tuple[str, _Format]:
    for suffix, found in _FORMATS.items():
        if name.lower().endswith(suffix):
            return suffix, found
    raise unknown_format()


def unknown_format(where: Path | None = None) -> DataError:
    """The error of a name that no format of points has."""
    msg = f"a file of points ends in {', '.join(POINT_SUFFIXES)}"
    return DataError(msg, got="another name", mend="convert it, or name one of these", where=where)
