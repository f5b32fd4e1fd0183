"""What the text header of a MetaImage or NRRD file says that SimpleITK does not tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.length_units import millimetres
from lungreg.spatial.geometry import FloatArray

_MOST_BYTES = 2**20
_NRRD_MAGIC = b"NRRD"
_QUOTED = re.compile(r'"([^"]*)"')
_DATA_FILE = re.compile(rb"\s*(?:ElementDataFile\s*[=:]|data ?file\s*:)\s*(.*?)\s*$", re.IGNORECASE)
_FIELD = re.compile(r"\s*([\w ]+?)\s*[=:]\s*(.*?)\s*$")
_SEVERAL = re.compile(r"LIST\b|.*%\d*d", re.IGNORECASE)
"""Names of several data files: a list that follows, or numbers in one name."""
_LOCAL = "local"
_METAIMAGE_UNITS = "distanceunits"
_METAIMAGE_NAMES = (
    *("ObjectType", "NDims", "DimSize", "BinaryData", "BinaryDataByteOrderMSB"),
    *("ElementByteOrderMSB", "CompressedData", "CompressedDataSize", "HeaderSize"),
    *("TransformMatrix", "Rotation", "Orientation", "Offset", "Position", "Origin"),
    *("CenterOfRotation", "AnatomicalOrientation", "DistanceUnits"),
    *("ElementSpacing", "ElementSize", "ElementType", "ElementNumberOfChannels"),
    "ElementDataFile",
)
"""As ITK reads them, and in no other letters."""


@dataclass(frozen=True, kw_only=True)
class ItkHeader:
    """The fields of a text header."""

    fields: dict[str, str]
    """Values by name, in lower case and without spaces."""
    is_nrrd: bool
    """Else it is a MetaImage."""
    data_files: tuple[str, ...] = ()
    """Names of the files that hold the values, beside the header; none where it holds them."""
    header_bytes: int = 0
    """Length of the header, behind which values begin where it holds them."""
    several: bool = False
    """Whether the values may lie in several files."""

    @property
    def space(self) -> str:
        """The world that an NRRD file names, in lower case; empty where it names none."""
        return self.fields.get("space", "").lower()

    def millimetres(self) -> tuple[FloatArray, str]:
        """(3,) mm of the header's unit of length along each world axis, and the unit's name.

        Raises:
            DataError: A unit that is no length, or not one for each axis.
        """
        names = self._units()
        if len(names) != 3:
            msg = "a header names a unit of length for each of three axes"
            raise DataError(msg, got=len(names), mend="write the file again in mm")
        scale = np.array([millimetres(name) for name in names])
        return scale, ", ".join(dict.fromkeys(names))

    def _units(self) -> list[str]:
        if _METAIMAGE_UNITS in self.fields:
            return [self.fields[_METAIMAGE_UNITS]] * 3
        if "spacedirections" in self.fields:
            return _QUOTED.findall(self.fields.get("spaceunits", "")) or [""] * 3
        # Without directions the axes of the array are those of the world; vectors come first.
        return _QUOTED.findall(self.fields.get("units", ""))[-3:] or [""] * 3


def read_itk_header(path: Path) -> ItkHeader:
    """Read the text header of a MetaImage or NRRD file, whatever else the file holds.

    Raises:
        UnreadableFileError: The file cannot be opened, or has no header's end within 1 MiB.
        UnsafeInputError: It names a data file outside its own folder: one from an archive could
            otherwise read any file of this machine.
        DataError: A field of a MetaImage in other letters than ITK reads it in.
    """
    try:
        with path.open("rb") as file:
            lines, size = _read_lines(file)
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, mend="check permissions") from error
    is_nrrd = bool(lines) and lines[0].startswith(_NRRD_MAGIC)
    named = next((k for k, line in enumerate(lines) if _DATA_FILE.match(line)), len(lines))
    fields = _fields(lines[: named + 1], is_nrrd=is_nrrd)
    files = _data_files(lines[named:])
    for name in files:
        _require_inside(name)
    return ItkHeader(
        fields=fields,
        is_nrrd=is_nrrd,
        data_files=files,
        header_bytes=size,
        several=len(files) > 1 or any(_SEVERAL.match(name) for name in files),
    )


def _read_lines(file: BinaryIO) -> tuple[list[bytes], int]:
    """The lines of a header, with the names of data files behind it, and its length in bytes."""
    lines: list[bytes] = []
    size, is_nrrd, listed = 0, False, False
    while line := file.readline(_MOST_BYTES - size + 1):
        size += len(line)
        if size > _MOST_BYTES:
            msg = "the text header of a MetaImage or NRRD file is at most 1 MiB long"
            raise UnreadableFileError(
                msg, got="more", mend="is it of the format that its name says?"
            )
        is_nrrd = line.startswith(_NRRD_MAGIC) if not lines else is_nrrd
        if is_nrrd and not listed and not line.strip(b"\r\n"):
            break
        lines.append(line)
        found = _DATA_FILE.match(line)
        if found is not None:
            listed = found[1].upper().startswith(b"LIST")
            if not is_nrrd and not listed:
                break
    return lines, size


def _fields(lines: Sequence[bytes], *, is_nrrd: bool) -> dict[str, str]:
    """Values by name, in lower case and without spaces; the first of a name."""
    fields: dict[str, str] = {}
    for line in lines:
        text = line.decode("utf-8", "replace")
        found = _FIELD.match(text)
        # A NRRD's own keys are told from its fields by ":=".
        if found is None or (is_nrrd and text[found.end(1) :].lstrip().startswith(":=")):
            continue
        if not is_nrrd:
            _require_letters(found[1])
        fields.setdefault(found[1].replace(" ", "").lower(), found[2])
    return fields


def _data_files(lines: Sequence[bytes]) -> tuple[str, ...]:
    """The names in the field of the data file, and in the lines of a list behind it."""
    found: list[str] = []
    for line in lines:
        match = _DATA_FILE.match(line)
        name = (line if match is None else match[1]).strip().decode("utf-8", "replace")
        if name and name.lower() != _LOCAL:
            found.append(name)
    return tuple(found)


def _require_letters(name: str) -> None:
    """Refuse a field that ITK would pass over without a word, since its letters are others."""
    for known in _METAIMAGE_NAMES:
        if name.lower() == known.lower() and name != known:
            msg = "fields of a MetaImage are written as ITK reads them"
            raise DataError(msg, got=name, mend=f"write {known}")


def _require_inside(name: str) -> None:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or ".." in plain.split("/") or re.match(r"^\w:", plain):
        msg = "a header names a data file in its own folder"
        raise UnsafeInputError(msg, got="a path that leaves it", mend="move them together")
