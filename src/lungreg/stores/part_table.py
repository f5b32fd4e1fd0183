"""Append-only tables as small Parquet parts on a stage; the latest row of a key counts.

Many processes and nodes write at once without a lock, because each append is a new file. Parts are
never changed: `compact` writes the latest rows of small ones as one more part, then deletes these,
so that the table is the same at whatever moment it is interrupted.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lungreg.errors import NotFoundError, StoreError
from lungreg.stores import FileInfo, Stage

_READERS = 8
_ROWS_AT_ONCE = 1000
_MAX_LISTINGS = 20
_SMALL_PART = 100
"""Rows."""
_LARGE_PART_BYTES = 1_000_000
"""Some thousand rows: a million of them are some hundred parts, which are soon listed and read."""


@dataclass(frozen=True)
class PartTable:
    """One table under a folder of a stage, in parts at any depth below it."""

    stage: Stage
    folder: str
    schema: pa.Schema
    key: tuple[str, ...]
    """Columns that name a row."""
    order: tuple[str, ...]
    """Columns by which the latest row of a key is known, the first one first: a number that grows
    with each replacement, then a time. Clocks of two machines differ; null comes before all."""

    def append(self, rows: Sequence[Mapping[str, Any]], folder: str | None = None) -> None:
        """Add rows as one part; columns left out are null.

        Args:
            rows: Of `schema`; none writes nothing.
            folder: The table's folder or one below it.

        Raises:
            StoreError: A row does not fit the schema.
            StoreUnavailableError: The stage is full or does not answer.
        """
        if rows:
            self._write(self._tabulate(rows), folder or self.folder)

    def read(self, *folders: str) -> pa.Table:
        """The latest row of each key, ordered by key, also while others write or compact.

        Args:
            folders: Only the parts in and below these; without any, all.

        Raises:
            StoreError: A part is no Parquet file of the schema.
        """
        return self._latest(self._parts(*folders or (self.folder,)))

    def rows(self, *folders: str) -> Iterator[dict[str, Any]]:
        """What `read` gives, row by row: as Python objects a row takes many times its memory.

        Raises:
            StoreError: A part is no Parquet file of the schema.
        """
        for batch in self.read(*folders).to_batches(max_chunksize=_ROWS_AT_ONCE):
            yield from batch.to_pylist()

    def compact(self, folder: str | None = None) -> None:
        """Replace the small parts in and below a folder by one that holds their latest rows.

        Large parts stay as they are, so that what this takes does not grow with the table.

        Raises:
            StoreError: A part is no Parquet file of the schema; nothing is deleted then.
        """
        folder = folder or self.folder
        small = [info.name for info in self._listed(folder) if info.size < _LARGE_PART_BYTES]
        if len(small) < 2:
            return
        with ThreadPoolExecutor(_READERS) as pool:
            found = zip(small, pool.map(self._read_part, small), strict=True)
            parts = {name: part for name, part in found if part is not None}
            if len(parts) > 1:
                self._write(self._latest(parts), folder)
                list(pool.map(self.stage.delete, parts))

    def _tabulate(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        unknown = set().union(*rows) - set(self.schema.names)
        if unknown:
            msg = "the rows of a table have the columns of its schema"
            raise StoreError(msg, got=sorted(unknown))
        try:
            table = pa.Table.from_pylist(list(rows), schema=self.schema)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            msg = "the rows of a table have the types of its schema"
            raise StoreError(msg, where=error) from error
        for name in (*self.key, *self.order):
            if table[name].null_count:
                msg = "the key and the order of a row are given"
                raise StoreError(msg, got=f"no {name}")
        return table

    def _write(self, table: pa.Table, folder: str) -> None:
        sink = pa.BufferOutputStream()
        # A small part is mostly Parquet metadata: without statistics it reads in half the time.
        codec = "zstd" if table.num_rows > _SMALL_PART else "none"
        pq.write_table(table, sink, compression=codec, use_dictionary=False, write_statistics=False)
        name = f"{folder}/part-{uuid.uuid4().hex}.parquet"
        self.stage.write(name, sink.getvalue().to_pybytes())

    def _parts(self, *folders: str) -> dict[str, pa.Table]:
        """The parts by name.

        A listing made while another process compacts can miss the new part and the old ones. The
        new one is complete before an old one goes, so the next listing shows it: list again until
        that shows nothing new.
        """
        parts: dict[str, pa.Table] = {}
        for listing in range(_MAX_LISTINGS):
            with ThreadPoolExecutor(_READERS) as pool:
                names = itertools.chain.from_iterable(pool.map(self._names, folders))
                fresh = [name for name in names if name not in parts]
                if listing and not fresh:
                    break
                found = zip(fresh, pool.map(self._read_part, fresh), strict=True)
                parts.update({name: part for name, part in found if part is not None})
        return parts

    def _names(self, folder: str) -> list[str]:
        return [info.name for info in self._listed(folder)]

    def _listed(self, folder: str) -> list[FileInfo]:
        return [info for info in self.stage.list(folder) if _is_part(info.name)]

    def _read_part(self, name: str) -> pa.Table | None:
        """One part, or None where another process has compacted it away."""
        try:
            data = self.stage.read(name)
        except NotFoundError:
            return None
        try:
            with pq.ParquetFile(pa.BufferReader(data)) as file:
                return self._fit(file.read(use_threads=False))
        except (pa.ArrowException, OSError, ValueError) as error:
            msg = "a part of a table is a whole Parquet file with the columns of its schema"
            mend = "delete the file and repeat the step that wrote it"
            raise StoreError(msg, got=type(error).__name__, mend=mend, where=name) from error

    def _fit(self, part: pa.Table) -> pa.Table:
        """The part in today's schema: another version may have had more columns or fewer."""
        if part.schema.equals(self.schema):
            return part
        columns = [
            part[field.name].cast(field.type)
            if field.name in part.column_names
            else pa.nulls(part.num_rows, field.type)
            for field in self.schema
        ]
        return pa.table(columns, schema=self.schema)

    def _latest(self, parts: Mapping[str, pa.Table]) -> pa.Table:
        """The latest row of each key; ties are decided by the other columns."""
        rows = pa.concat_tables(parts.values()) if parts else self.schema.empty_table()
        key = ", ".join(map(_quoted, self.key))
        rest = (name for name in self.schema.names if name not in (*self.key, *self.order))
        order = ", ".join(f"{_quoted(name)} DESC NULLS LAST" for name in (*self.order, *rest))
        rank = f"row_number() OVER (PARTITION BY {key} ORDER BY {order})"
        with duckdb.connect(":memory:") as connection:
            connection.register("parts", rows)
            latest = (
                connection.table("parts")
                .select(f"*, {rank} AS age_of_row")
                .filter("age_of_row = 1")
            )
            return latest.order(key).to_arrow_table().select(self.schema.names).cast(self.schema)


def _is_part(name: str) -> bool:
    file = name.rpartition("/")[2]
    return file.startswith("part-") and file.endswith(".parquet")


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
