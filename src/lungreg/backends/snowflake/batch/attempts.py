"""One try at a batch job: the names of what it uses, from which a later process finds it again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lungreg.stores.names import RunNames

if TYPE_CHECKING:
    from lungreg.config import SnowflakeBackend
    from lungreg.stores import Stage

_MARK = "no-file-"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A batch job by its name, and its files on the stage, of which nothing stays."""

    token: str
    run_id: str
    schema: str
    """Full name of the schema that the job is in."""

    @property
    def job_id(self) -> str:
        """Full name of the job."""
        return f"{self.schema}.{self.job_name}"

    @property
    def job_name(self) -> str:
        """Without database and schema."""
        return f"LUNGREG_BATCH_{self.token}".upper()

    @property
    def folder(self) -> str:
        """Of this job alone: the service refuses one that holds anything, or empties it."""
        return f"{_folder(self.run_id)}/{self.token}"

    @property
    def output(self) -> str:
        """Where the service writes the rows that the job gives."""
        return f"{self.folder}/{self.job_name}"

    @property
    def mark(self) -> str:
        """Stands for the files that cases lack, and tells of this try while it is not tidied."""
        return f"{_folder(self.run_id)}/{_MARK}{self.token}"


def new_attempt(settings: SnowflakeBackend, run_id: str) -> Attempt:
    """One that has its name from here, so that to start it twice starts it once."""
    token = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    return _attempt(settings, run_id, token)


def left_behind(settings: SnowflakeBackend, stage: Stage, run_id: str) -> list[Attempt]:
    """Tries of a run whose process ended before it had tidied up, the oldest first."""
    prefix = f"{_folder(run_id)}/{_MARK}"
    names = sorted(info.name for info in stage.list(_folder(run_id)))
    tokens = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return [_attempt(settings, run_id, token) for token in tokens]


def _attempt(settings: SnowflakeBackend, run_id: str, token: str) -> Attempt:
    return Attempt(token=token, run_id=run_id, schema=settings.utils)


def _folder(run_id: str) -> str:
    return RunNames(run_id).batch
