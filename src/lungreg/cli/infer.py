"""lungreg infer: register the cases of the stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from lungreg.cli.command import SOME_FAILED, ConfigOptions, Resume, config_command
from lungreg.cli.console import Console
from lungreg.cli.process import importing
from lungreg.cli.verdicts import print_verdicts, tell_doubtful

_CASE_COLUMNS = (
    *("case_id", "verdict", "tre_mm", "etre_mm", "dice_score", "fold_pct", "split"),
    *("etre_found_pct", "hd95_mm", "ncc", "tre_p95_mm", "etre_p95_mm", "compute_s"),
)
"""Columns of a table of registered cases, the most telling first."""


def print_cases(console: Console, run_id: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print the rows of one run: run, model and number of cases in the title, a line for each case.

    Args:
        console: Where to.
        run_id: The run.
        rows: Columns of the result table by name; those of failed cases come last.
    """
    from lungreg.records import counted

    rows = sorted(rows, key=lambda row: bool(row["error_code"]))
    models = dict.fromkeys(_model_of(row) for row in rows)
    shown = [
        [_words(row) if name == "verdict" else row[name] for name in _CASE_COLUMNS] for row in rows
    ]
    title = f"Run {run_id}: {counted(len(rows), 'case')}, {', '.join(models)}"
    console.table(title, _CASE_COLUMNS, shown)
    print_why(console, [[row["case_id"], _words(row), row["reasons"]] for row in rows])
    names = ("case_id", "error_code", "error_message")
    failed = [[row[name] for name in names] for row in rows if row["error_code"]]
    if failed:
        console.table("Not registered", ("case_id", "code", "why"), failed)


def print_why(console: Console, rows: Sequence[Sequence[object]]) -> None:
    """Print case, verdict and reasons of those rows that have reasons; nothing where none has."""
    known = [row for row in rows if row[-1]]
    if known:
        console.table("Why", ("case_id", "verdict", "reasons"), known)


def _model_of(row: Mapping[str, object]) -> str:
    if row["model_name"] is None:
        return "no model"
    return f"{row['model_name']} version {row['model_version']}"


def _words(row: Mapping[str, object]) -> str:
    """The verdict, joined with what it rests on."""
    from lungreg.records import verdict_words

    evidence = row["evidence"]
    return verdict_words(
        str(row["status"]), str(row["verdict"]), None if evidence is None else str(evidence)
    )


class Engine(StrEnum):
    """What registers a cohort."""

    RAY = "ray"
    RUN_BATCH = "run-batch"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(infer)


@config_command
def infer(
    console: Console,
    options: ConfigOptions,
    cases: Annotated[
        list[str] | None,
        typer.Option("--cases", metavar="ID,...", help="Ids of cases; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:VERSION]", help="Model of the registry. Default: the config's."
        ),
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Register each pair by itself, as 'register' does.")
    ] = False,
    engine: Annotated[
        Engine | None,
        typer.Option(help="Ray workers, or a batch job of the backend. Default: the config's."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Only cases that no run has registered with success.")
    ] = False,
    resume: Resume = None,
) -> None:
    """Register the stage's cases, each by itself or with a model of the registry."""
    with importing():
        from lungreg.workflows.cost import cost_lines
        from lungreg.workflows.infer import infer as run

    chosen = [] if engine is None else [f"infer.engine={engine.value}"]
    chosen += _model(model, no_model=no_model)
    chosen += _cases(cases or [])
    settings = options.config(*chosen)
    asked = options.keys(*chosen)
    _refuse_both(new=new, resume=resume)
    done = run(settings, resume=resume, only_new=new, asked=asked, on_progress=console.progress)
    if new and not done.results:
        console.line("no new case: every one is registered")
        console.document({"run_id": None, "cases": []})
        return
    print_cases(console, done.run_id, [vars(row) for row in done.results])
    print_means(console, done.means())
    for line in cost_lines(done, settings.cost):
        console.line(line)
    print_verdicts(console, done.results)
    tell_doubtful(console, done.results, done.run_id)
    if done.failed:
        console.line(f"once mended: {options.next_command(f'infer --resume {done.run_id}')}")
    console.line(f"next: {options.next_command(f'report {done.run_id}')}")
    console.document(
        {
            "run_id": done.run_id,
            "model": done.card and done.card.name,
            "version": done.card and done.card.version,
            "seconds": done.seconds,
            "means": done.means(),
            "cases": [dataclasses.asdict(row) for row in done.results],
        }
    )
    if done.failed:
        raise typer.Exit(SOME_FAILED)


def _refuse_both(*, new: bool, resume: str | None) -> None:
    """Refuse to look for new cases in a run that has its cases."""
    if new and resume is not None:
        from lungreg.errors import ConfigError

        msg = "a run that is gone on with has its cases"
        raise ConfigError(msg, got="--new and --resume", mend="give one of them")


def _model(model: str | None, *, no_model: bool) -> list[str]:
    """The overrides of the configuration that choose a model, or none."""
    if model is None:
        return ["infer.model=null"] if no_model else []
    if no_model:
        from lungreg.errors import ConfigError

        msg = "one of --model and --no-model is given"
        raise ConfigError(msg, got="both")
    name, _, version = model.partition(":")
    return [f"infer.model={name}", *([f"infer.version={version}"] if version else [])]


def _cases(given: Sequence[str]) -> list[str]:
    """The override of the configuration that chooses cases, or none."""
    ids = [part.strip() for item in given for part in item.split(",") if part.strip()]
    return [f"infer.cases={json.dumps(ids)}"] if ids else []


def print_means(console: Console, means: Mapping[str, Mapping[str, float]]) -> None:
    """Print the means of the main metrics, a line for each part of the split.

    Of how many cases those of the estimated error are, where some have none.
    """
    from lungreg.workflows.infer_report import ETRE_CASES, MEANS

    partly = any(0 < found[ETRE_CASES] < found["cases"] for found in means.values())
    counts = ("cases", ETRE_CASES) if partly else ("cases",)
    rows = [
        [split, *(int(found[name]) for name in counts), *(found.get(name) for name in MEANS)]
        for split, found in means.items()
    ]
    if rows:
        console.table("Means by split", ("split", *counts, *MEANS), rows)
