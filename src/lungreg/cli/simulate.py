"""lungreg simulate: pairs of scans whose true transform is known."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import command
from lungreg.cli.console import Console
from lungreg.cli.process import program


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


@command
def simulate(
    console: Console,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pairs.")],
    cases: Annotated[int, typer.Option("--cases", min=1, help="How many pairs.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 0,
    ct: Annotated[Path | None, typer.Option("--from", help="A real CT to breathe with.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="Its lung mask.")] = None,
    cutoff_mm: Annotated[
        float,
        typer.Option("--cutoff-mm", min=0, help="How much of the bases the expiration lacks."),
    ] = 0.0,
    shape: Annotated[
        tuple[int, int, int] | None,
        typer.Option("--shape", metavar="X Y Z", help="Number of voxels, without --from."),
    ] = None,
    spacing_mm: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--spacing-mm", metavar="X Y Z", help="Size of these voxels."),
    ] = None,
) -> None:
    """Make breathing pairs with known truth, from an analytic chest or a real CT."""
    from lungreg.records import counted
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
    made = f"{counted(len(ids), 'pair')} in {out}"
    console.line(f"{made}; next: {program()} init {shlex.quote(str(out))}")
    console.document({"folder": str(out), "cases": list(ids)})
