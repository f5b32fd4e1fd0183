"""Spell names of files for a Snowflake stage, without characters that have a meaning in SQL.

Letters and digits of any script, ".", "_" and "-" are kept; every other character is written as
its bytes, each "=" and two hexadecimal digits. So quotes, spaces, wildcards and escapes reach
neither SQL nor the client's file patterns.
"""

from __future__ import annotations

import re

from lungreg.errors import DataError

MAX_SPELLED_BYTES = 250
"""Longest part when spelled: the client writes it to a disk, with a suffix."""
_OTHERS = re.compile(r"[^\w.-]+")
_SPELLED = re.compile(r"(?:=[0-9A-F]{2})+")


def spelled(name: str) -> str:
    """The name as it is spelled on the stage.

    Raises:
        DataError: A part is too long when spelled.
    """
    parts = [_OTHERS.sub(_as_hex, part) for part in name.split("/")]
    if any(len(part.encode()) > MAX_SPELLED_BYTES for part in parts):
        msg = (
            f"a part of a name has at most {MAX_SPELLED_BYTES} bytes as a Snowflake stage spells it"
        )
        raise DataError(msg, mend="use fewer signs beside letters and digits", where=repr(name))
    return "/".join(parts)


def unspelled(path: str) -> str | None:
    """The name that is spelled as `path`; None where no name is spelled so."""
    try:
        name = _SPELLED.sub(_from_hex, path)
        return name if spelled(name) == path else None
    except (DataError, UnicodeDecodeError):
        return None


def _as_hex(found: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in found[0].encode())


def _from_hex(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("=", "")).decode()
