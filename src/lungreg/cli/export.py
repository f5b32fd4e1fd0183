"""lungreg export: the transforms of a run for other tools."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import SOME_FAILED, ConfigOptions, config_command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


@config_command
def export(
    console: Console,
    options: ConfigOptions,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of infer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")],
    file_format: Annotated[
        str, typer.Option("--format", metavar="itk|ants|learn2reg", help="Whose files.")
    ],
) -> None:
    """Write the transforms of a run for ITK, ANTs or Learn2Reg."""
    from lungreg.workflows.export import export as write

    done = write(
        options.config(),
        run,
        out,
        file_format=file_format,
        on_progress=console.progress,
    )
    if done.failed:
        console.table("Failed", ("case", "why"), list(done.failed.items()))
    console.line(f"{len(done.files)} files in {out}")
    console.document({"folder": str(out), **dataclasses.asdict(done)})
    if done.failed:
        raise typer.Exit(SOME_FAILED)
