"""lungreg infer: register the cases of the stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import SOME_FAILED, ConfigOptions, Resume, config_command
from lungreg.cli.console import Console

if TYPE_CHECKING:
    from lungreg.workflows.infer import InferReport

CASE_COLUMNS = (*("case_id", "split", "verdict", "dice_score", "tre_mm", "etre_mm", "fold_pct"),)
"""Columns of a table of registered cases, in their order: as many as a terminal is wide."""


def table_row(row: Mapping[str, object], columns: Sequence[str]) -> list[object]:
    """A row of the result table for people: its verdict is joined with what it rests on."""
    from lungreg.records import verdict_words

    evidence = row["evidence"]
    joined = verdict_words(
        str(row["status"]), str(row["verdict"]), None if evidence is None else str(evidence)
    )
    return [joined if name == "verdict" else row[name] for name in columns]


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
        typer.Option("--cases", help="Case ids, separated by commas; may be repeated."),
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
    resume: Resume = None,
) -> None:
    """Register the stage's cases, each by itself or with a model of the registry."""
    from lungreg.workflows.cost import cost_lines
    from lungreg.workflows.infer import infer as run

    chosen = [] if engine is None else [f"infer.engine={engine.value}"]
    chosen += _model(model, no_model=no_model)
    chosen += _cases(cases or [])
    settings = options.config(*chosen)
    asked = options.keys(*chosen)
    done = run(settings, resume=resume, asked=asked, on_progress=console.progress)
    rows = [table_row(vars(row), CASE_COLUMNS) for row in done.results]
    console.table(f"Run {done.run_id}", CASE_COLUMNS, rows)
    _print_means(console, done)
    for line in cost_lines(done, settings.cost):
        console.line(line)
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


def _print_means(console: Console, done: InferReport) -> None:
    means = done.means()
    columns = sorted({name for found in means.values() for name in found} - {"cases"})
    rows = [[s, int(f["cases"]), *(f.get(name) for name in columns)] for s, f in means.items()]
    if rows:
        console.table("Means by split", ("split", "cases", *columns), rows)
