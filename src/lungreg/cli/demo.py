"""lungreg demo: the main job on simulated pairs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import SOME_FAILED, command
from lungreg.cli.console import Console
from lungreg.cli.process import program
from lungreg.cli.verdicts import tell_doubtful


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


@command
def demo(
    console: Console,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path(
        "lungreg-demo"
    ),
    cases: Annotated[
        int | None, typer.Option("--cases", help="Pairs, at least 5; else 24.")
    ] = None,
) -> None:
    """Do the whole main job on simulated pairs: ingest, train, infer, report."""
    console.line("loading (a few seconds)")
    from lungreg.workflows.demo import DEMO_CASES, summarise_demo
    from lungreg.workflows.demo import demo as run

    done = run(
        out,
        cases=cases or DEMO_CASES,
        on_progress=console.progress,
        on_step=lambda text: console.line(f"-- {text}"),
    )
    summary = summarise_demo(done)
    rows = [[name, before, after] for name, before, after in summary]
    console.table("Test pairs", ("mean of", "aligned", "registered"), rows)
    tell_doubtful(console, done.inferred.results, done.inferred.run_id)
    console.line(f"done in {done.seconds:.0f} s; research use only, not a medical device")
    console.line(f"open  {done.report_file}")
    again = f"{program()} infer -c {shlex.quote(str(done.config_file))}"
    console.line(f"registered again: {again}")
    console.line(f"without the model, which is more exact: {again} --set infer.model=null")
    console.document(
        {
            "seconds": done.seconds,
            "config": str(done.config_file),
            "report": str(done.report_file),
            "train_run": done.trained.run_id,
            "infer_run": done.inferred.run_id,
            "means": {name: {"aligned": a, "registered": r} for name, a, r in summary},
        }
    )
    if done.inferred.failed:
        raise typer.Exit(SOME_FAILED)
