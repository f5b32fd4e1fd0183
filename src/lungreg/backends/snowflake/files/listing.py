"""What lies on a stage, as LIST says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class Entry:
    """One file."""

    path: str
    """Below the stage, as spelled there."""
    size: int
    """Bytes."""
    md5: str
    """Of its bytes; or of the checksums of its parts, and their number, where S3 got it in parts;
    or of what lies there encrypted, where the client encrypts."""


def entries(session: Session, stage: str, prefix: str) -> list[Entry]:
    """Files whose path begins with a prefix: no folder, "case_1" finds "case_10" too.

    Args:
        session: To ask with.
        stage: Full name.
        prefix: Spelled; "" for the whole stage.
    """
    found = session.file.list(reference(stage, prefix))
    listed = [_entry(item.name, item.size, item.md5) for item in found]
    return [entry for entry in listed if entry.path.startswith(prefix)]


def reference(stage: str, path: str) -> str:
    """A place in LIST, GET and REMOVE, whatever signs are in the path."""
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"'@{stage}/{escaped}'"


def entry_of(session: Session, stage: str, path: str) -> Entry | None:
    """The file at exactly this path."""
    return next((item for item in entries(session, stage, path) if item.path == path), None)


def _entry(name: str, size: object, md5: object) -> Entry:
    """Names come back as the stage's own name in lower case, a slash, and the path."""
    return Entry(path=name.partition("/")[2], size=int(str(size)), md5=str(md5 or "").lower())
