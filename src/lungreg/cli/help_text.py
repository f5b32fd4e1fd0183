"""Help of single commands in plain words: FIXED, not {fixed} or <list[Path]>; "at least 1"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

_SIMPLER = (
    (re.compile(r"<(int|float) range>"), r"<\1>"),
    (re.compile(r"\b(INTEGER|FLOAT) RANGE\b"), r"\1"),
    (re.compile(r"<list\[(\w+)\]>"), r"<\1>"),
    (re.compile(r"<str>"), "<text>"),
)
"""Types as typer of any version writes them, and as people read them."""
_NOTES = (
    (re.compile(r"\\\["), "["),
    (re.compile(r"\[default: \(([^()]*)\)"), r"[default: \1"),
    (re.compile(r"\b(-?[\d.]+)<=x<=(-?[\d.]+)\]"), r"\1 to \2]"),
    (re.compile(r"\bx>=(-?[\d.]+)\]"), r"at least \1]"),
)
"""The same for what stands in square brackets behind a help text."""


class PlainCommand(TyperCommand):
    """A command whose help names each argument as the text does, in capitals."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What follows the command's name in the line of its usage."""
        given = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return [self.options_metavar or "", *map(_in_usage, given)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """List arguments, then options.

        Args:
            ctx: Context of typer's own click, or of click itself with earlier versions of typer.
            formatter: Takes the text, likewise.
        """
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                name, text = record
                shown = _name(param) if param.param_type_name == "argument" else name
                rows[param.param_type_name].append((_plain(shown, _SIMPLER), _plain(text, _NOTES)))
        for kind, listed in rows.items():
            if listed:
                with formatter.section(f"{kind.capitalize()}s"):
                    formatter.write_dl(listed)


class PlainTyper(typer.Typer):
    """An application, or a group of it, whose commands are `PlainCommand`s."""

    def command(self, *names: Any, **settings: Any) -> Callable[..., Any]:
        """A decorator that adds a command, as typer's own."""
        return super().command(*names, **{"cls": PlainCommand, **settings})


def _name(param: Any) -> str:
    """An argument as a help text speaks of it; older versions of typer have it in brackets."""
    name = str(param.metavar or param.name.upper()).strip("[]")
    return name if param.nargs == 1 else f"{name.removesuffix('...')}..."


def _in_usage(param: Any) -> str:
    return _name(param) if param.required else f"[{_name(param)}]"


def _plain(text: str, changes: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, words in changes:
        text = pattern.sub(words, text)
    return text
