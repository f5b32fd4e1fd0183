"""lungreg init: a commented configuration to start from."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import command
from lungreg.cli.console import Console
from lungreg.cli.process import program

if TYPE_CHECKING:
    from lungreg.config import Ingest
    from lungreg.sources.proposal import Proposal

_YAML = (".yaml", ".yml")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


@command
def init(
    console: Console,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="Folder of scans to look at; or the .yaml file to write."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-o", help="File to write; else lungreg.yaml.")
    ] = None,
) -> None:
    """Write a commented configuration, for a folder of scans if one is given."""
    from lungreg.config import write_template

    if source is not None and source.suffix.lower() in _YAML and not source.is_dir():
        source, file = None, source
    file = file or Path("lungreg.yaml")
    ingest = None if source is None else _ingest(console, source, file)
    write_template(file, ingest)
    console.line(f"wrote {file}; next: {program()} ingest -c {shlex.quote(str(file))}")
    console.document(
        {
            "config": str(file),
            "ingest": None
            if ingest is None
            else ingest.model_dump(mode="json", exclude_unset=True),
        }
    )


def _ingest(console: Console, source: Path, file: Path) -> Ingest:
    """How to read the folder, its path as the file will give it."""
    from lungreg.config import Ingest
    from lungreg.sources.proposal import propose

    chosen = _chosen(console, propose(source))
    console.line(f"found {chosen.summary}")
    folder, home = source.resolve(), file.resolve().parent
    inside = folder.is_relative_to(home)
    place = f"./{folder.relative_to(home).as_posix()}" if inside else folder.as_posix()
    if chosen.pattern is None:
        return Ingest(source=place, layout=chosen.layout)
    return Ingest(source=place, layout=chosen.layout, pattern=chosen.pattern)


def _chosen(console: Console, proposals: list[Proposal]) -> Proposal:
    """The only proposal, or the one that a person at a terminal chooses.

    Raises:
        ConfigError: Several, and nobody to ask.
    """
    if len(proposals) == 1:
        return proposals[0]
    choices = [f"{number}) {found.summary}" for number, found in enumerate(proposals, start=1)]
    if not sys.stdin.isatty() or console.quiet or console.as_json:
        from lungreg.errors import ConfigError

        msg = "the names of the scans can be read in one way"
        mend = "run it at a terminal, which asks, or write ingest.pattern by hand"
        raise ConfigError(msg, got=f"{len(proposals)} ways", mend=mend, where="; ".join(choices))
    for choice in choices:
        console.line(choice)
    number = 0
    while not 1 <= number <= len(proposals):
        number = int(typer.prompt("Which one? Its number", type=int))
    return proposals[number - 1]
