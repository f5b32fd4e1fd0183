"""Whether the values of a MetaImage or NRRD file are as many as its header declares.

ITK reads as many as it needs from the beginning and leaves the rest: values behind a header of
another program's would be shifted without a word.
"""

from __future__ import annotations

from pathlib import Path

from lungreg.errors import DataError, UnreadableFileError
from lungreg.formats.volumes.itk_header import ItkHeader

_LINE_END = 2
"""Bytes that an editor may put at the end of a file."""


def require_data_files(path: Path, header: ItkHeader) -> None:
    """Refuse a header whose data file is not there.

    Raises:
        UnreadableFileError: It is not.
    """
    if (
        header.data_files
        and not header.several
        and not (path.parent / header.data_files[0]).is_file()
    ):
        msg = "the data file that a header names lies beside it"
        mend = "copy both files together, or write one file (.mha, .nrrd)"
        raise UnreadableFileError(msg, got="none of that name", mend=mend)


def require_length(path: Path, header: ItkHeader, needed: int) -> None:
    """Refuse uncompressed values of another length than declared, where it can be known.

    Args:
        path: Of the header.
        header: Its fields.
        needed: Bytes of the values that it declares.

    Raises:
        DataError: There are more.
    """
    if header.several or not _is_raw(header):
        return
    if header.data_files:
        there = (path.parent / header.data_files[0]).stat().st_size
    else:
        there = path.stat().st_size - header.header_bytes
    if there > needed + _LINE_END:
        msg = "a file holds as many values as its header declares"
        say = "byte skip" if header.is_nrrd else "HeaderSize"
        mend = f"write the file again, or say in the header where the values begin ({say})"
        raise DataError(msg, got=f"{there - needed} bytes more", mend=mend)


def _is_raw(header: ItkHeader) -> bool:
    """Whether values are stored as they are, from the beginning on."""
    fields = header.fields
    if header.is_nrrd:
        skips = ("byteskip", "lineskip")
        return fields.get("encoding", "").lower() == "raw" and not any(s in fields for s in skips)
    text = fields.get("binarydata", "true").lower() == "false"
    packed = fields.get("compresseddata", "false").lower() == "true"
    return not text and not packed and int(fields.get("headersize") or 0) == 0
