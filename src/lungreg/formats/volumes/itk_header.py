"""What the text header of a MetaImage or NRRD file says that SimpleITK does not tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.length_units import millimetres
from lungreg.spatial.geometry import FloatArray

_HEADER_BYTES = 2**16
_NRRD_MAGIC = b"NRRD"
_QUOTED = re.compile(r'"([^"]*)"')
_DATA_FILE = re.compile(
    rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)
_FIELD = re.compile(r"\s*([\w ]+?)\s*[=:]=?\s*(.*?)\s*$")
_LAST_OF_METAIMAGE = "elementdatafile"
_METAIMAGE_UNITS = "distanceunits"


@dataclass(frozen=True, kw_only=True)
class ItkHeader:
    """The fields of a text header."""

    fields: dict[str, str]
    """Values by name, in lower case and without spaces."""
    is_nrrd: bool
    """Else it is a MetaImage."""

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
        UnreadableFileError: The file cannot be opened.
        UnsafeInputError: It names a data file outside its own folder: one from an archive could
            otherwise read any file of this machine.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, mend="check permissions") from error
    text = head.split(b"\n\n", 1)[0]
    _check_data_files(text)
    fields: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        found = _FIELD.match(line)
        if found is None:
            continue
        name = found[1].replace(" ", "").lower()
        fields.setdefault(name, found[2])
        if name == _LAST_OF_METAIMAGE:
            break
    return ItkHeader(fields=fields, is_nrrd=head.startswith(_NRRD_MAGIC))


def _check_data_files(text: bytes) -> None:
    for match in _DATA_FILE.finditer(text):
        name = match.group(1).decode("utf-8", "replace").replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"^\w:", name):
            msg = "a header names a data file in its own folder"
            raise UnsafeInputError(msg, got="a path that leaves it", mend="move them together")
