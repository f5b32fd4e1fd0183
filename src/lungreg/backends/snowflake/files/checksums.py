"""Compare bytes with the checksum that a stage lists: of the file, or of its parts on S3."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from lungreg.backends.snowflake.files.listing import Entry

Open = Callable[[], IO[bytes]]
_PART_SIZES = tuple(megabytes << 20 for megabytes in (8, 16, 32, 64, 5))
"""Sizes of parts in use, in bytes. Snowflake's Python connector sends files of 64 MB and more in
parts of 8 MB."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Digest:
    """Size and checksum of a file's bytes."""

    size: int
    md5: str


def digest_of(source: Open) -> Digest:
    """Compute size and MD5."""
    digest, size = _md5(), 0
    with source() as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Digest(size, digest.hexdigest())


def is_listed(entry: Entry, digest: Digest, source: Open) -> bool:
    """Whether a listed file certainly has these bytes; False also where it cannot be known.

    Args:
        entry: As listed.
        digest: Of the bytes.
        source: The bytes, read again where the file was sent in parts.
    """
    if entry.size != digest.size:
        return False
    md5, _, parts = entry.md5.partition("-")
    if not parts:
        return md5 == digest.md5
    sizes = [size for size in _PART_SIZES if str(math.ceil(entry.size / size)) == parts]
    return any(md5 == _of_parts(source, size) for size in sizes)


def _of_parts(source: Open, size: int) -> str:
    """MD5 of the MD5s of parts of a size in bytes, of which the last may be smaller."""
    whole = _md5()
    with source() as stream:
        while part := _part_digest(stream, size):
            whole.update(part)
    return whole.hexdigest()


def _part_digest(stream: IO[bytes], size: int) -> bytes:
    """MD5 of the next bytes of a stream; empty at its end."""
    digest, left = _md5(), size
    while left and (chunk := stream.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.digest() if left < size else b""


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
