"""The stage that others put new scans on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files import transfers
from lungreg.backends.snowflake.files.client_folders import client_folders_removed
from lungreg.backends.snowflake.files.listing import entries
from lungreg.stores.stage import missing_file


@dataclass(frozen=True)
class IncomingStage:
    """Files under names that are not ours. Implements `lungreg.stores.Incoming`."""

    source: SessionSource

    def paths(self) -> Sequence[str]:
        """The paths of all files."""
        stage = self.source.settings.incoming
        found = self.source.attempt(lambda session: entries(session, stage, ""))
        return [entry.path for entry in found]

    def fetch(self, path: str, file: Path) -> None:
        """Copy a file; its size and MD5 are compared with the listing."""
        stage = self.source.settings.incoming
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent) as private, client_folders_removed():
            got = self.source.attempt(
                lambda session: transfers.get(session, stage, path, Path(private))
            )
            if got is None:
                raise missing_file(path)
            got.replace(file)
