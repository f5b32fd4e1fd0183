"""Data made here: simulate and demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.console import SOME_FAILED, command
from lungreg.cli.options import AsJson, Quiet, Verbose


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(simulate)
    app.command()(demo)


def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pairs.")],
    cases: Annotated[int, typer.Option("--cases", min=1, help="How many pairs.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 0,
    ct: Annotated[Path | None, typer.Option("--from", help="A real CT to breathe with.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="Its lung mask.")] = None,
    cutoff_mm: Annotated[
        float, typer.Option("--cutoff-mm", min=0, help="Bases cut off the expiration.")
    ] = 0.0,
    shape: Annotated[
        tuple[int, int, int] | None,
        typer.Option("--shape", metavar="X Y Z", help="Voxels of an analytic chest."),
    ] = None,
    spacing_mm: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--spacing-mm", metavar="X Y Z", help="Their spacing."),
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make breathing pairs with known truth, from an analytic chest or a real CT."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.workflows.simulate import simulate as run

        ids = run(
            out,
            cases=cases,
            seed=seed,
            cutoff_mm=cutoff_mm,
            shape=shape,
            spacing_mm=spacing_mm,
            ct=ct,
            mask=mask,
        )
        console.line(f"{len(ids)} pairs in {out}; layout: zenodo")
        console.document({"folder": str(out), "cases": list(ids)})


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")] = Path(
        "lungreg-demo"
    ),
    cases: Annotated[
        int | None, typer.Option("--cases", help="Pairs, at least 5; else 24.")
    ] = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Do the whole main job on simulated pairs: ingest, train, infer, report."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
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
        console.line(f"done in {done.seconds:.0f} s; research use only, not a medical device")
        console.line(f"open  {done.report_file}")
        console.line(f"again lungreg infer -c {done.config_file}")
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
