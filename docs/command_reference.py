"""The reference of every command and option in Markdown, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from lungreg.cli.app import build_app

_COMMON = frozenset({"config", "overrides", "verbose", "quiet", "as_json"})
"""Options of nearly all commands, described once."""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command as a user types it, such as "models promote", in the order of the help."""
    for name, command in typer.main.get_command(build_app()).commands.items():
        for below, inner in getattr(command, "commands", {}).items():
            yield f"{name} {below}", inner
        if not hasattr(command, "commands"):
            yield name, command


def command_reference() -> str:
    """One section for each command, one row for each argument and option of its own."""
    return "\n".join(line for name, command in commands() for line in _section(name, command))


def _section(name: str, command: Any) -> list[str]:
    own = [found for found in command.params if found.name not in _COMMON]
    rows = [f"| {_form(found)} | {_meaning(found)} |" for found in own]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    shared = [_form(found) for found in command.params if found.name in _COMMON]
    also = [f"Also: {', '.join(shared)}.", ""] if shared else []
    return [f"## lungreg {name}", "", (command.help or "").replace("<", "&lt;"), "", *table, *also]


def _form(parameter: Any) -> str:
    """An argument or option as it is typed."""
    names = [name for name in parameter.opts if name.startswith("-")]
    if not names:
        return f"`{parameter.metavar or parameter.name.upper()}`".replace("|", "\\|")
    value = "" if parameter.is_flag else f" {parameter.metavar or 'VALUE'}"
    both = [*names, *parameter.secondary_opts]
    return f"`{', '.join(both)}{value}`".replace("|", "\\|")


def _meaning(parameter: Any) -> str:
    text = " ".join((parameter.help or "").split())
    default = parameter.show_default if isinstance(parameter.show_default, str) else None
    if default is None and isinstance(parameter.default, str | int | float):
        default = None if isinstance(parameter.default, bool) else str(parameter.default)
    notes = ["must be given"] * bool(parameter.required) + [f"default: {default}"] * bool(default)
    return f"{text} *({'; '.join(notes)})*" if notes else text
