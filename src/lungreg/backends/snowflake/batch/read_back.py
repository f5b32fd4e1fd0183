"""What a batch job gives, taken off its folder on the stage, which is then emptied."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.batch.attempts import Attempt
from lungreg.backends.snowflake.batch.written_rows import WrittenRows
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import LungregError, UnreadableFileError
from lungreg.stores.names import RunNames

if TYPE_CHECKING:
    from lungreg.records import Case, CaseResult

_log = logging.getLogger(__name__)
_WRITERS = 8
"""Files that are written to the stage at once."""


@dataclass(frozen=True)
class ReadBack:
    """What one job left."""

    stage: SnowflakeStage
    attempt: Attempt

    def rows(self, waiting: dict[str, Case]) -> Iterator[list[CaseResult]]:
        """The rows of cases that wait, which then wait no longer; files are on the stage before.

        A row or a file that cannot be read is passed over, and its cases wait on: what one worker
        spoiled must not keep the others' work from being taken.
        """
        for path in self.stage.paths(self.attempt.output):
            if path.endswith(".parquet"):
                yield self._of_file(path, waiting)

    def tidy(self) -> None:
        """Remove what the job was given and what it left: the rows hold case ids and images."""
        try:
            if left := self.stage.clear(self.attempt.folder):
                _log.warning("%d files of batch job %s stay behind", left, self.attempt.token)
            else:
                self.stage.delete(self.attempt.mark)
        except LungregError as error:
            text = "files of batch job %s stay behind: %s"
            _log.warning(text, self.attempt.token, error.anonymous)

    def _of_file(self, path: str, waiting: dict[str, Case]) -> list[CaseResult]:
        with TemporaryDirectory() as private:
            file = self.stage.download_path(self.attempt.output, path, Path(private))
            try:
                return self._kept(WrittenRows(file), waiting)
            except UnreadableFileError as error:
                text = "a file of rows of batch job %s is passed over: %s"
                _log.warning(text, self.attempt.job_name, error.anonymous)
                return []

    def _kept(self, rows: WrittenRows, waiting: dict[str, Case]) -> list[CaseResult]:
        found = rows.results()
        if unread := found.count(None):
            text = "%d rows of batch job %s are passed over: they are no results"
            _log.warning(text, unread, self.attempt.job_name)
        known = {
            at: result for at, result in enumerate(found) if result and result.case_id in waiting
        }
        self._write_files(rows, {at: result.case_id for at, result in known.items()})
        return [result for result in known.values() if waiting.pop(result.case_id, None)]

    def _write_files(self, rows: WrittenRows, case_ids: dict[int, str]) -> None:
        """Write the files of cases, given by the number of their row."""
        run = RunNames(self.attempt.run_id)
        with ThreadPoolExecutor(_WRITERS) as pool:
            for files in rows.files():
                named = {
                    run.case(case_ids[at]).file(name): data
                    for at, name, data in files
                    if at in case_ids
                }
                list(pool.map(self.stage.write, named.keys(), named.values()))
