"""Read and write the points of one scan, in the format that the file's name ends in.

A new format is one file beside this one and one line in `_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lungreg.errors import DataError
from lungreg.formats.points.point_csv import decode_points_csv, encode_points_csv
from lungreg.formats.points.point_list import PointList
from lungreg.formats.points.slicer import decode_fcsv, decode_markups, encode_fcsv, encode_markups


@dataclass(frozen=True, kw_only=True)
class _Format:
    decode: Callable[[bytes], PointList]
    encode: Callable[[PointList], bytes]


_FORMATS = {
    ".csv": _Format(decode=decode_points_csv, encode=encode_points_csv),
    ".fcsv": _Format(decode=decode_fcsv, encode=encode_fcsv),
    ".mrk.json": _Format(decode=decode_markups, encode=encode_markups),
}
POINT_SUFFIXES = tuple(_FORMATS)


def decode_points(data: bytes, name: str) -> PointList:
    """Read points from the bytes of a file of this name: .csv, .fcsv or .mrk.json.

    Raises:
        DataError: Another name, or contents that are no points.
    """
    return _format(name).decode(data)


def encode_points(listed: PointList, name: str) -> bytes:
    """Write points in the format of a file of this name: .csv, .fcsv or .mrk.json.

    Raises:
        DataError: Another name, or points in a frame that the format does not know.
    """
    return _format(name).encode(listed)


def _format(name: str) -> _Format:
    for suffix, found in _FORMATS.items():
        if name.lower().endswith(suffix):
            return found
    msg = f"a file of points ends in {', '.join(POINT_SUFFIXES)}"
    raise DataError(msg, got="another name", mend="convert it")
