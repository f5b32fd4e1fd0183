"""lungreg results: the rows of all runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.infer import CASE_COLUMNS, table_row

if TYPE_CHECKING:
    import pyarrow as pa


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(results)


@config_command
def results(
    console: Console,
    options: ConfigOptions,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="One run only.")] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", help="A query on the table `results`.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the answer to .parquet or .csv.")
    ] = None,
) -> None:
    """Show, query or export the rows of all runs, also while one is writing."""
    from lungreg.workflows.results import export_table, query_results

    answer = query_results(options.config(), sql, run_id=run)
    if export is not None:
        export_table(answer, export)
        console.line(f"{answer.num_rows} rows written to {export}")
    else:
        _print_answer(console, answer, short=sql is None)
    console.document([{k.lower(): v for k, v in row.items()} for row in answer.to_pylist()])


def _print_answer(console: Console, answer: pa.Table, *, short: bool) -> None:
    rows: list[dict[str, Any]] = answer.to_pylist()
    if short:
        columns = ("run_id", *CASE_COLUMNS)
        shown = [table_row(row, columns) for row in rows]
    else:
        columns = tuple(answer.column_names)
        shown = [list(row.values()) for row in rows]
    console.table(f"{len(rows)} rows", columns, shown)
