"""What lies on a stage, as LIST says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from lungreg.errors import StoreError

if TYPE_CHECKING:
    from snowflake.snowpark import ListResult, Session


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
    last_modified: str = field(compare=False)
    """As the server says it: "Sun, 22 Nov 2026 10:15:00 GMT"."""

    @property
    def written_at(self) -> datetime:
        """When it was last written, by the server's clock.

        Raises:
            StoreError: The listing has no such time.
        """
        try:
            return parsedate_to_datetime(self.last_modified)
        except ValueError as error:
            msg = "LIST says when a file was last modified, as in mails"
            raise StoreError(msg, got=repr(self.last_modified)) from error


def entries(session: Session, stage: str, prefix: str) -> list[Entry]:
    """Files whose path begins with a prefix: no folder, "case_1" finds "case_10" too.

    Args:
        session: To ask with.
        stage: Full name.
        prefix: Spelled; "" for the whole stage.
    """
    found = session.file.list(reference(stage, prefix))
    listed = [_entry(item) for item in found]
    return [entry for entry in listed if entry.path.startswith(prefix)]


def reference(stage: str, path: str) -> str:
    """A place in LIST, GET and REMOVE, whatever signs are in the path."""
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"'@{stage}/{escaped}'"


def entry_of(session: Session, stage: str, path: str) -> Entry | None:
    """The file at exactly this path."""
    return next((item for item in entries(session, stage, path) if item.path == path), None)


def _entry(item: ListResult) -> Entry:
    """Names come back as the stage's own name in lower case, a slash, and the path."""
    return Entry(
        path=item.name.partition("/")[2],
        size=int(item.size),
        md5=str(item.md5 or "").lower(),
        last_modified=item.last_modified,
    )
