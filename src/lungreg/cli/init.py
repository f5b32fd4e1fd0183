"""lungreg init: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


@command
def init(
    console: Console,
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("lungreg.yaml"),
) -> None:
    """Write a commented configuration."""
    from lungreg.config import write_template

    write_template(file)
    console.line(f"wrote {file}; check it with 'lungreg config validate -c {file}'")
    console.document({"config": str(file)})
