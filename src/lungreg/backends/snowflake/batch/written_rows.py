"""A Parquet file that a batch job wrote: results first, then file bytes, a column at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lungreg.backends.snowflake.models.rows import OUTPUT_FILES, RESULT, read_result
from lungreg.errors import StoreError, UnreadableFileError
from lungreg.records import CaseResult

_ROWS_AT_ONCE = 4
"""Of one column of bytes."""
_BUFFER_BYTES = 1 << 16


class WrittenRows:
    """The rows of one file.

    Columns of bytes are read one after the other and page by page, so that only a few rows of one
    column are in memory at once. A page is in memory as a whole, compressed and not, and may be a
    column of a whole row group: 40 rows with images of 15 MB take 1.5 GB in one page, and 0.4 GB
    in pages of a row each.
    """

    def __init__(self, path: Path) -> None:
        """Take a local file."""
        self._path = path

    def results(self) -> list[CaseResult | None]:
        """The result of each row; None for a row that is not of a lungreg model.

        Raises:
            UnreadableFileError: The file is damaged.
        """
        return [_result(text) for batch in self._column(RESULT, _ROWS_AT_ONCE**2) for text in batch]

    def files(self) -> Iterator[list[tuple[int, str, bytes]]]:
        """Files as number of the row, name in the case's folder, and bytes; a few rows at once.

        Raises:
            UnreadableFileError: The file is damaged.
        """
        for column, name in OUTPUT_FILES.items():
            row = 0
            for batch in self._column(column, _ROWS_AT_ONCE):
                numbered = enumerate(batch, start=row)
                yield [(at, name, data) for at, data in numbered if isinstance(data, bytes)]
                row += len(batch)

    def _column(self, name: str, rows: int) -> Iterator[list[object]]:
        """The values of a column, a few rows at once; None for each where there is no column."""
        try:
            with pq.ParquetFile(self._path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
                if name not in file.schema_arrow.names:
                    yield [None] * file.metadata.num_rows
                    return
                for batch in file.iter_batches(rows, columns=[name], use_threads=False):
                    values = batch.column(0).to_pylist()
                    del batch  # its memory is as large as that of the values
                    yield values
        except (pa.ArrowException, OSError) as error:
            msg = "a file of rows can be read as Parquet"
            raise UnreadableFileError(msg, got=type(error).__name__) from error


def _result(text: object) -> CaseResult | None:
    try:
        return read_result(text)
    except StoreError:
        return None
