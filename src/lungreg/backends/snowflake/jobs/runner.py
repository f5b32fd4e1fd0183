"""Submit, follow and cancel ML Jobs, which run lungreg's commands on a compute pool."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lungreg.backends.snowflake.batch.inference import BatchInference
from lungreg.backends.snowflake.connection.faults import client_refusals, is_missing
from lungreg.backends.snowflake.connection.runtime import scale_notebook_cluster
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs.listed import listed_jobs
from lungreg.backends.snowflake.jobs.log import LogTail
from lungreg.backends.snowflake.jobs.options import (
    check_command,
    checked_pool,
    job_name,
    job_options,
    sending,
)
from lungreg.backends.snowflake.jobs.payload import payload_of, write_payload
from lungreg.backends.snowflake.jobs.start import EXIT_LINE
from lungreg.backends.snowflake.jobs.submission import submit_strictly
from lungreg.config import Config
from lungreg.errors import NotFoundError, RunError, StoreUnavailableError
from lungreg.records import Case, CaseResult, RegistrationJob
from lungreg.stores import ListedJob

if TYPE_CHECKING:
    from snowflake.ml.jobs import MLJob

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
_JOB_ID = re.compile(
    r'(?:[A-Za-z_][A-Za-z0-9_$]*\.){2}(?:[A-Za-z_][A-Za-z0-9_$]*|"[A-Za-z0-9_$]+")'
)
_ENDED = {
    "DONE": "done",
    "FAILED": "failed",
    "INTERNAL_ERROR": "failed",
    "DELETED": "failed",
    "CANCELLED": "cancelled",
}
"""Our status by Snowflake's final one; with any other the job goes on."""
_WAITING = {"PENDING", "UNKNOWN"}
_TAIL_LINES = 200
"""Lines at a log's end that are searched for the exit code: the launcher writes after it."""
_NO_LOG = "No logs were found"


@dataclass(frozen=True)
class SnowflakeJobs:
    """Jobs on the compute pools of an account. Implements `lungreg.stores.JobRunner`."""

    source: SessionSource
    pause_s: float = 5.0
    """Between two looks at a running job."""

    def submit(
        self, command: Sequence[str], config: Config, *, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Send this installation and a configuration to a compute pool and start a command there.

        The configuration is sent as a file: the statement that starts the job stays in the query
        history and must name no case.

        Args:
            command: "train" or "infer", perhaps with "--resume" and a run; or "check".
            config: Of the job; `ingest` and this machine's connection are left out.
            pool: A compute pool; None for that of the configuration.
            nodes: Machines, which form one Ray cluster.

        Raises:
            ConfigError: The command or option is unknown, or the pool's name is none.
            ResourceError: The pool may not have so many nodes.
            RunError: The account has no image for it, or one whose Python does not fit; lungreg
                cannot be packed; or the job is refused.
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        settings = self.source.settings
        check_command(command)
        pool = checked_pool(settings, pool, nodes)
        with sending(self.source, pool) as (session, folder, image):
            write_payload(config, settings, folder, pool=pool, image=image)
            options = job_options(settings, command, job_name(settings, command[0]), nodes, image)
            sent = {**options, "args": list(command), "session": session}
            job_id: str = submit_strictly(folder, pool, sent).id
            return job_id

    def infer_batch(
        self, job: RegistrationJob, cases: Sequence[Case]
    ) -> Iterator[list[CaseResult]]:
        """Register cases with a stored model in one batch job, and yield rows as they are read.

        Raises:
            RunError: The job did not end well; the rows that it left were yielded before.
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        return BatchInference(self.source, self.pause_s).run(job, cases)

    def follow(self, job_id: str) -> Iterable[str]:
        """The job's log lines as they come, until it ends; lost connections are opened again."""
        tail = LogTail()
        while True:
            ended = self.status(job_id) in _ENDED.values()
            yield from tail.new_lines(self._log(job_id), ended=ended)
            if ended:
                return
            time.sleep(self.pause_s)

    def status(self, job_id: str) -> str:
        """The job's status: "pending", "running", "done", "failed" or "cancelled".

        Raises:
            NotFoundError: There is no job of this id.
        """
        try:
            found = self._ask(job_id, lambda job: str(job.status))
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
            msg = "a job of this id is in the account, and this role may see it"
            raise NotFoundError(msg, mend="give the id that 'lungreg submit' printed") from error
        return _our_status(found)

    def latest(self, limit: int = 20) -> Sequence[ListedJob]:
        """The latest jobs that were started from lungreg, batch jobs too, the newest first."""
        settings = self.source.settings
        found = self.source.attempt(lambda session: listed_jobs(session, settings, _our_status))
        return found[:limit]

    def exit_code(self, job_id: str) -> int:
        """The exit code of the command, read from the end of the job's log.

        A job that is done ended with 0, or with 3 where cases failed. Where its log is gone, as
        logs are after a while, that is 0 with a warning.

        Raises:
            RunError: The job is done, and no exit code is in its log.
        """
        status = self.status(job_id)
        lines = self._log(job_id, limit=_TAIL_LINES)
        for line in reversed(lines):
            if found := re.fullmatch(rf"{EXIT_LINE} (\d+)", line.strip()):
                return int(found[1])
        if status == "done" and not any(lines):
            logger.warning("the job is done and its log is gone: 'lungreg results' has its cases")
            return 0
        if status == "done":
            msg = "the log of a job ends with the command's exit code"
            raise RunError(msg, got="none", mend="see what the run left, with 'lungreg results'")
        return 1

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended stays as it is."""
        if self.status(job_id) not in _ENDED.values():
            self._ask(job_id, lambda job: job.cancel())

    def tidy(self, job_id: str) -> None:
        """Remove the files that were sent with a job, if it has ended; its log stays."""
        folder = payload_of(self.source.settings, job_id)
        if folder is not None and self.status(job_id) in _ENDED.values():
            self.source.attempt(lambda session: session.file.remove(folder))

    def prepare(self) -> None:
        """In a notebook, scale its Ray cluster to `compute_pool.notebook_nodes`.

        Raises:
            ResourceError: The compute pool has not so many nodes.
        """
        nodes = self.source.settings.compute_pool.notebook_nodes
        if nodes is not None:
            scale_notebook_cluster(nodes)

    def _log(self, job_id: str, limit: int = -1) -> list[str]:
        """The lines at the end of the log; none for a job that has not written any."""

        def fetch(job: MLJob[Any]) -> list[str]:
            try:
                return list(job.get_logs(limit, as_list=True, verbose=True))
            except RuntimeError as error:
                if not str(error).startswith(_NO_LOG):
                    raise
                return []

        return self._ask(job_id, fetch)

    def _ask(self, job_id: str, question: Callable[[MLJob[Any]], Answer]) -> Answer:
        def ask(session: Any) -> Answer:
            with client_refusals("ML Jobs answers about a job"):
                return question(_job(job_id, session))

        return self.source.attempt(ask)


def _our_status(status: str) -> str:
    return "pending" if status in _WAITING else _ENDED.get(status, "running")


def _job(job_id: str, session: Any) -> MLJob[Any]:
    from snowflake.ml.jobs import get_job

    if not _JOB_ID.fullmatch(job_id):
        msg = "a job's id is DATABASE.SCHEMA.NAME, as 'lungreg submit' prints it"
        raise NotFoundError(msg, got=repr(job_id))
    return get_job(job_id, session=session)
