"""Read a batch job's Parquet files, write the case files, delete the job's folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lungreg.backends.snowflake.batch.batch_job import BatchJob
from lungreg.backends.snowflake.batch.written_rows import WrittenRows
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import LungregError, UnreadableFileError
from lungreg.records import Case, CaseResult, counted
from lungreg.stores.names import RunNames

_log = logging.getLogger(__name__)
_WRITERS = 8
"""Files that are written to the stage at once."""


@dataclass(frozen=True)
class ReadBack:
    """The output of one job that has ended."""

    stage: SnowflakeStage
    job: BatchJob

    def rows(self, waiting: dict[str, Case]) -> Iterator[list[CaseResult]]:
        """The results of each Parquet file, whose case files are written to the stage before.

        A row or a file that cannot be read is passed over, and its cases stay in `waiting`: one
        damaged file must not lose the others.

        Args:
            waiting: Cases without a result, by id; those that have one now are removed.
        """
        for path in self.stage.paths(self.job.output):
            if path.endswith(".parquet"):
                yield self._of_file(path, waiting)

    def delete_files(self) -> None:
        """Delete the job's input and output, which hold case ids and images."""
        try:
            if left := self.stage.clear(self.job.folder):
                _log.warning(
                    "%s of batch job %s left behind", counted(left, "file"), self.job.token
                )
            else:
                self.stage.delete(self.job.no_file)
        except LungregError as error:
            text = "files of batch job %s stay behind: %s"
            _log.warning(text, self.job.token, error.anonymous)

    def _of_file(self, path: str, waiting: dict[str, Case]) -> list[CaseResult]:
        with TemporaryDirectory() as private:
            file = self.stage.download_path(self.job.output, path, Path(private))
            try:
                return self._kept(WrittenRows(file), waiting)
            except UnreadableFileError as error:
                text = "a file of rows of batch job %s is passed over: %s"
                _log.warning(text, self.job.job_name, error.anonymous)
                return []

    def _kept(self, rows: WrittenRows, waiting: dict[str, Case]) -> list[CaseResult]:
        found = rows.results()
        if unread := found.count(None):
            text = "passed over: %s of batch job %s without a result"
            _log.warning(text, counted(unread, "row"), self.job.job_name)
        known = {
            at: result for at, result in enumerate(found) if result and result.case_id in waiting
        }
        self._write_files(rows, {at: result.case_id for at, result in known.items()})
        return [result for result in known.values() if waiting.pop(result.case_id, None)]

    def _write_files(self, rows: WrittenRows, case_ids: dict[int, str]) -> None:
        """Write the files of cases, given by the number of their row."""
        run = RunNames(self.job.run_id)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for files in rows.files():
                named = {
                    run.case(case_ids[at]).file(name): data
                    for at, name, data in files
                    if at in case_ids
                }
                list(pool.map(self.stage.write, named.keys(), named.values()))
