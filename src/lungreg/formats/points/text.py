"""Decode and encode text files, and recognise numbers in them."""

from __future__ import annotations

from lungreg.errors import DataError


def decode_text(data: bytes, *, what: str) -> str:
    """UTF-8 text, with or without a byte order mark.

    Args:
        data: The file's bytes.
        what: What the file is, for the message: "a list of landmarks is text".

    Raises:
        DataError: Other bytes.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{what} is text"
        raise DataError(msg, got="other bytes", mend="export it as text in UTF-8") from error


def encode_text(text: str) -> bytes:
    """UTF-8; half a character, which JSON may hold, becomes its escape."""
    return text.encode(errors="backslashreplace")


def is_number(text: str) -> bool:
    """Whether a field of a line is a number, NaN and infinity included."""
    try:
        float(text)
    except ValueError:
        return False
    return True
