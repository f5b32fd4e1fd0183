"""The names of a batch job: of the job itself, and of its files on the stage."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from lungreg.config import SnowflakeBackend
from lungreg.stores import Stage
from lungreg.stores.names import RunNames

_NO_FILE = "no-file-"


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """The names of one batch job of a run: from them another process can go on with it."""

    token: str
    """Unique id of this job, part of all its names."""
    run_id: str
    schema: str
    """Full name of the schema that the job is in."""

    @property
    def job_id(self) -> str:
        """Full name of the job."""
        return f"{self.schema}.{self.job_name}"

    @property
    def job_name(self) -> str:
        """Name of the job, without database and schema."""
        return f"LUNGREG_BATCH_{self.token}".upper()

    @property
    def folder(self) -> str:
        """Folder of this job alone: the service refuses or empties a folder with files."""
        return f"{RunNames(self.run_id).batch}/{self.token}"

    @property
    def output(self) -> str:
        """Where the service writes the job's rows."""
        return f"{self.folder}/{self.job_name}"

    @property
    def no_file(self) -> str:
        """Placeholder for the files that cases lack.

        It is written first and deleted last, so that it marks a job that is not finished.
        """
        return f"{RunNames(self.run_id).batch}/{_NO_FILE}{self.token}"


def new_job(settings: SnowflakeBackend, run_id: str) -> BatchJob:
    """A job with a new name, chosen before the start: starting it twice starts one job."""
    token = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    return _job(settings, run_id, token)


def unfinished_jobs(settings: SnowflakeBackend, stage: Stage, run_id: str) -> list[BatchJob]:
    """The jobs of a run whose process ended before their files were deleted, the oldest first."""
    folder = RunNames(run_id).batch
    prefix = f"{folder}/{_NO_FILE}"
    names = sorted(info.name for info in stage.list(folder))
    tokens = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return [_job(settings, run_id, token) for token in tokens]


def _job(settings: SnowflakeBackend, run_id: str, token: str) -> BatchJob:
    return BatchJob(token=token, run_id=run_id, schema=settings.utils)
