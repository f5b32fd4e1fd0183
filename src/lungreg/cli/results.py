"""lungreg results: the rows of all runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.infer import print_cases
from lungreg.cli.replacing import Overwrite, require_free

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
    overwrite: Overwrite = False,
) -> None:
    """Show, query or export the rows of all runs, also while one is writing."""
    from lungreg.records import counted
    from lungreg.workflows.results import export_table, query_results

    require_exportable(console, export, [], overwrite=overwrite)
    answer = query_results(options.config(), sql, run_id=run)
    if export is not None:
        export_table(answer, export)
        console.line(f"{counted(answer.num_rows, 'row')} written to {export}")
    else:
        _print_answer(console, answer, short=sql is None)
    console.document([{k.lower(): v for k, v in row.items()} for row in answer.to_pylist()])


def require_exportable(
    console: Console, export: Path | None, inputs: Iterable[Path | None], *, overwrite: bool
) -> None:
    """Refuse a file of --export that cannot be written, or that is there and may not be replaced.

    Args:
        console: Where the user is asked.
        export: The file; None for none.
        inputs: Files that the command reads.
        overwrite: Whether --overwrite was given.

    Raises:
        ConfigError: Another suffix than .parquet or .csv, a folder, or one of the inputs.
        RunError: The user does not agree.
    """
    from lungreg.formats.local_files import refuse_overwriting
    from lungreg.workflows.results import require_table_name

    if export is not None:
        require_table_name(export)
        refuse_overwriting(export, inputs)
        require_free(console, export, option="--export", overwrite=overwrite)


def _print_answer(console: Console, answer: pa.Table, *, short: bool) -> None:
    """Print a table for each run, or the answer to a query as it is."""
    from lungreg.records import counted

    rows: list[dict[str, Any]] = answer.to_pylist()
    if not short:
        shown = [list(row.values()) for row in rows]
        title = counted(len(rows), "row")
        console.table(title, tuple(answer.column_names), shown, keep_empty=True)
        return
    if not rows:
        console.line("no results yet")
    for run_id in dict.fromkeys(row["run_id"] for row in rows):
        print_cases(console, run_id, [row for row in rows if row["run_id"] == run_id])
