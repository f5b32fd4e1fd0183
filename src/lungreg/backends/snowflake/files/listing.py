"""List the files of a stage, with the sizes and checksums of LIST."""

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
    """Below the stage, spelled as `stage_names` says."""
    size: int
    """Bytes."""
    md5: str
    """Of its bytes; or of the checksums of its parts, with their number, where it was sent to S3 in
    parts; or of the encrypted bytes, where the client encrypts."""
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
    """Files whose path begins with a prefix, which is no folder: "case_1" finds "case_10" too.

    Args:
        session: Of the account.
        stage: Full name.
        prefix: Spelled; "" for the whole stage.
    """
    found = session.file.list(reference(stage, prefix))
    listed = [_entry(item) for item in found]
    return [entry for entry in listed if entry.path.startswith(prefix)]


def reference(stage: str, path: str) -> str:
    """A path on a stage as LIST, GET and REMOVE take it, in quotes and escaped."""
    escaped = path.replace("\\", "\\\\").replace("'", "\\'")
    return f"'@{stage}/{escaped}'"


def entry_of(session: Session, stage: str, path: str) -> Entry | None:
    """The file at exactly this path."""
    return next((item for item in entries(session, stage, path) if item.path == path), None)


def _entry(item: ListResult) -> Entry:
    """LIST's names are the stage's own name in lower case, a slash, and the path."""
    return Entry(
        path=item.name.partition("/")[2],
        size=int(item.size),
        md5=str(item.md5 or "").lower(),
        last_modified=item.last_modified,
    )
