"""lungreg export: the transforms of a run for other tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import SOME_FAILED, ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.replacing import Overwrite, require_agreed


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


@config_command
def export(
    console: Console,
    options: ConfigOptions,
    target: Annotated[
        str, typer.Argument(metavar="RUN|DIR", help="A run of infer, or a folder of register.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")],
    file_format: Annotated[
        str, typer.Option("--format", metavar="itk|ants|learn2reg", help="Whose files.")
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write the transforms of a run or a pair for ITK, ANTs or Learn2Reg."""
    from lungreg.records import counted
    from lungreg.workflows.export import export as write

    def ask(there: Sequence[Path]) -> None:
        found = counted(len(there), "file")
        require_agreed(
            console,
            f"{found} in {out}",
            out,
            rule="files are replaced only when asked for",
            got=f"{found} of these names",
            instead="folder with -o",
            overwrite=overwrite,
        )

    done = write(
        options.config(),
        target,
        out,
        file_format=file_format,
        on_progress=console.progress,
        before_replacing=ask,
    )
    if done.failed:
        console.table("Failed", ("case", "why"), list(done.failed.items()))
    console.line(f"{counted(len(done.files), 'file')} in {out}")
    console.document({"folder": str(out), **dataclasses.asdict(done)})
    if done.failed:
        raise typer.Exit(SOME_FAILED)
