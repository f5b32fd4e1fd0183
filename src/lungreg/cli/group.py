"""Groups of commands: help that is never cut off, wrong usage as JSON, completion."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from lungreg.cli.failure import error_document
from lungreg.cli.help_text import PlainTyper

WRONG_USAGE = 2


class Group(TyperGroup):
    """A group whose help shows the whole sentence of each command, folded where it is too long."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands, in the order in which they were added.

        Args:
            ctx: Context of typer's own click, or of click itself with earlier versions of typer.
            formatter: Takes the text, likewise.
        """
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _sentence(one.help)) for name, one in found if one and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class RootGroup(Group):
    """All commands. Wrong usage together with --json also prints a JSON error on stdout."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **settings: Any) -> Any:
        """Run a command; ends the process with its exit code."""
        given = list(sys.argv[1:] if args is None else args)
        try:
            return super().main(given, *others, **settings)
        except SystemExit as end:
            if end.code == WRONG_USAGE and "--json" in given:
                said = getattr(end.__context__, "format_message", lambda: "wrong usage")()
                failure = {"code": "usage", "message": " ".join(said.split())}
                typer.echo(json.dumps(error_document(failure)))
            raise


def command_group(help_text: str) -> typer.Typer:
    """A group of commands to add to the application."""
    return PlainTyper(help=help_text, cls=Group, no_args_is_help=True, rich_markup_mode=None)


def _sentence(text: str | None) -> str:
    """The first paragraph of a help text, in one line."""
    return " ".join((text or "").split("\n\n", maxsplit=1)[0].split())
