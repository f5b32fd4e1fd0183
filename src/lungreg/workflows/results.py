"""Results: query the rows of all runs with SQL, and export them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import ConfigError, RunError
from lungreg.records import CaseResult
from lungreg.stores import Backend

if TYPE_CHECKING:
    import pyarrow as pa

_TABLES = (".parquet", ".csv")


def run_results(backend: Backend, run_id: str, *, or_folder: bool = False) -> list[CaseResult]:
    """The rows of a run.

    Args:
        backend: Where they are kept.
        run_id: Of the run.
        or_folder: Whether a folder could have been named instead, and the name is none's.

    Raises:
        RunError: The run has none.
    """
    rows = backend.results.rows(run_id)
    if not rows:
        msg = "a run has results"
        mend = "list runs with 'lungreg results'"
        mend += ", or check the name of the folder" if or_folder else ""
        raise RunError(msg, got=f"none for {run_id!r}", mend=mend)
    return rows


def query_results(
    config: Config,
    sql: str | None = None,
    *,
    run_id: str | None = None,
    backend: Backend | None = None,
) -> pa.Table:
    """Rows of all runs as Arrow, those of one run, or the answer to SQL on the table `results`.

    Raises:
        ConfigError: Both a query and a run.
        RunError: The run has no results.
        StoreError: The SQL fails.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "results")
    if sql is not None and run_id is not None:
        msg = "results take a query or a run, not both"
        raise ConfigError(msg, mend="put WHERE run_id = '...' into the query")
    if run_id is not None:
        import pyarrow.compute as pc

        run_results(backend, run_id)
        return backend.results.query("SELECT * FROM results ORDER BY run_id, case_id").filter(
            pc.field("run_id") == run_id
        )
    return backend.results.query(sql or "SELECT * FROM results ORDER BY run_id, case_id")


def require_table_name(target: Path) -> None:
    """Refuse a name that no table can be exported to.

    Raises:
        ConfigError: It does not end in .parquet or .csv.
    """
    if target.suffix not in _TABLES:
        msg = f"an export ends in {' or '.join(_TABLES)}"
        raise ConfigError(msg, got=repr(target.suffix))


def export_table(table: pa.Table, target: Path) -> None:
    """Write an answer as .parquet or .csv; a file that is there is replaced.

    Raises:
        ConfigError: Another suffix.
        RunError: The file cannot be written.
    """
    require_table_name(target)
    import pyarrow.csv
    import pyarrow.parquet

    writers = {".parquet": pyarrow.parquet.write_table, ".csv": pyarrow.csv.write_csv}
    try:
        writers[target.suffix](table, target)
    except OSError as error:
        msg = "the export can be written"
        raise RunError(msg, got=error.strerror or type(error).__name__, where=target) from error
