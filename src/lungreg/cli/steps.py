"""The steps of the main job: ingest, train, infer, results, report."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lungreg.cli.console import SOME_FAILED, Console, command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose

if TYPE_CHECKING:
    import pyarrow as pa

    from lungreg.config import Config
    from lungreg.workflows.infer import InferReport

Resume = Annotated[str | None, typer.Option("--resume", metavar="RUN", help="A run to go on with.")]
_ROW_COLUMNS = (
    *("case_id", "split", "status", "verdict", "dice_aligned", "dice_score"),
    *("tre_aligned_mm", "tre_mm", "fold_pct", "ncc"),
)


class Engine(StrEnum):
    """What registers a cohort."""

    RAY = "ray"
    RUN_BATCH = "run-batch"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function in (ingest, train, infer, results, report):
        app.command()(function)


def ingest(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check the pairs of a source and bring them to the stage."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.ingest import ingest as run

        done = run(load_config(config, overrides or ()), on_progress=console.progress)
        rows = [[row.case_id, "; ".join(row.reasons)] for row in done.rejected]
        if rows:
            console.table("Rejected", ("case", "why"), rows)
        console.line(
            f"{len(done.rows)} cases: {len(done.rows) - len(done.rejected)} on the stage "
            f"({done.unchanged} unchanged), {len(done.rejected)} rejected; "
            f"{done.uploaded} files uploaded"
        )
        if done.key_file is not None:
            console.line(f"under pseudonyms; their key, for you alone: {done.key_file}")
        console.document(
            {
                "uploaded": done.uploaded,
                "unchanged": done.unchanged,
                "key_file": done.key_file,
                "cases": [dataclasses.asdict(row) for row in done.rows],
            }
        )
        _exit_if(bool(done.rejected))


def train(
    resume: Resume = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train LocalNet on the stage's cases and register the best epoch."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.train import train as run

        done = run(
            load_config(config, overrides or ()), resume=resume, on_progress=console.progress
        )
        role = " (champion)" if done.champion else ""
        console.line(f"run {done.run_id}: {done.card.name} version {done.card.version}{role}")
        console.document(
            {
                "run_id": done.run_id,
                "model": done.card.name,
                "version": done.card.version,
                "champion": done.champion,
                "metrics": done.card.metrics,
                "history": done.history,
            }
        )


def infer(
    cases: Annotated[
        list[str] | None,
        typer.Option("--cases", help="Case ids, separated by commas; may be repeated."),
    ] = None,
    engine: Annotated[
        Engine | None,
        typer.Option(help="Ray workers, or a batch job of the backend. Default: the config's."),
    ] = None,
    resume: Resume = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Register the stage's cases with a model of the registry."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.cost import cost_lines
        from lungreg.workflows.infer import infer as run

        chosen = [] if engine is None else [f"infer.engine={engine.value}"]
        settings = _with_cases(load_config(config, [*(overrides or ()), *chosen]), cases)
        done = run(settings, resume=resume, on_progress=console.progress)
        _print_rows(console, f"Run {done.run_id}", [dataclasses.asdict(r) for r in done.results])
        _print_means(console, done)
        for line in cost_lines(done, settings.cost):
            console.line(line)
        console.line(f"next: lungreg report {done.run_id}")
        console.document(
            {
                "run_id": done.run_id,
                "model": done.card.name,
                "version": done.card.version,
                "seconds": done.seconds,
                "means": done.means(),
                "cases": [dataclasses.asdict(row) for row in done.results],
            }
        )
        _exit_if(bool(done.failed))


def results(
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="One run only.")] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", help="A query on the table `results`.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the answer to .parquet or .csv.")
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Show, query or export the rows of all runs, also while one is writing."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config
        from lungreg.workflows.results import export_table, query_results

        answer = query_results(load_config(config, overrides or ()), sql, run_id=run)
        if export is not None:
            export_table(answer, export)
            console.line(f"{answer.num_rows} rows written to {export}")
        else:
            _print_answer(console, answer, short=sql is None)
        console.document([{k.lower(): v for k, v in row.items()} for row in answer.to_pylist()])


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of infer.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the pages here, not to the stage.")
    ] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write one page that says which results of a run can be trusted."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.backends import open_backend
        from lungreg.config import load_config
        from lungreg.workflows.report import report as write_page
        from lungreg.workflows.report import report_here

        settings = load_config(config, overrides or ())
        backend = open_backend(settings.backend)
        if out is None:
            page = backend.stage.uri(write_page(settings, run, backend=backend))
        else:
            page = str(report_here(settings, run, out, backend=backend))
        console.line(f"open {page}")
        console.document({"run_id": run, "report": page})


def _with_cases(config: Config, cases: list[str] | None) -> Config:
    if not cases:
        return config
    ids = [part.strip() for item in cases for part in item.split(",") if part.strip()]
    return config.model_copy(update={"infer": config.infer.model_copy(update={"cases": ids})})


def _print_rows(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    shown = [[row.get(name) for name in _ROW_COLUMNS] for row in rows]
    console.table(title, _ROW_COLUMNS, shown)


def _print_answer(console: Console, answer: pa.Table, *, short: bool) -> None:
    rows: list[dict[str, Any]] = answer.to_pylist()
    columns = ("run_id", *_ROW_COLUMNS) if short else tuple(answer.column_names)
    console.table(f"{len(rows)} rows", columns, [[row[name] for name in columns] for row in rows])


def _print_means(console: Console, done: InferReport) -> None:
    means = done.means()
    columns = sorted({name for found in means.values() for name in found} - {"cases"})
    rows = [[s, int(f["cases"]), *(f.get(name) for name in columns)] for s, f in means.items()]
    if rows:
        console.table("Means by split", ("split", "cases", *columns), rows)


def _exit_if(some_failed: bool) -> None:
    if some_failed:
        raise typer.Exit(SOME_FAILED)
