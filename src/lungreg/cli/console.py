"""The console: lines, tables and progress for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
import os
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lungreg.cli.pace import Pace
from lungreg.cli.table import lay_out, terminal_width

if TYPE_CHECKING:
    from threading import Thread

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from lungreg.workflows.progress import Progress

RUN_FILE = "LUNGREG_RUN_FILE"
"""Environment variable: the file to which `infer` and `train` write the id of their run as it
begins, with -q and --json too. Who starts them again after a crash knows what to resume."""


@dataclass(kw_only=True)
class Console:
    """Prints what one command says. With --json or -q it shows no lines, tables or progress.

    With -q alone stderr gets what `though_quiet` is given.
    """

    quiet: bool
    as_json: bool
    wide: bool = False
    """Show tables with all their columns, however wide."""
    anonymous: bool = False
    """Show nothing that names a case."""
    bar: RichProgress | None = None
    """The progress bars, while a command runs where they can be drawn (`bars`)."""
    telling: Thread | None = None
    """Prints what a signal's handler says while there are bars."""
    _documented: bool = False
    _tasks: dict[str, TaskID] = field(default_factory=dict)
    _pace: Pace = field(default_factory=Pace)

    def line(self, text: str) -> None:
        """Print a line for people."""
        if not (self.quiet or self.as_json):
            from rich.markup import escape

            self._rich().print(escape(printable(text, keep="\n")), highlight=False, soft_wrap=True)

    def items(self, title: str, items: Sequence[str]) -> None:
        """Print a line and below it each item, indented and folded to the width of the terminal."""
        self.line(title)
        for item in items:
            self.line(_folded(printable(item), terminal_width()))

    def though_quiet(self, text: str) -> None:
        """Print on stderr, with -q alone, what a user has to know where all else is hidden.

        Without -q a line, and with --json the document says it.
        """
        if self.quiet and not self.as_json:
            typer.echo(f"lungreg: {printable(text)}", err=True)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        keep_empty: bool = False,
    ) -> None:
        """Print a table for people, as `lay_out` fits it to the terminal or to --wide."""
        if self.quiet or self.as_json or self.anonymous:
            return
        from rich.console import Console as RichConsole
        from rich.markup import escape

        self.stop_bar()
        safe = [[printable(v) if isinstance(v, str) else v for v in row] for row in rows]
        laid = lay_out(columns, safe, wide=self.wide, keep_empty=keep_empty)
        rich = RichConsole(width=laid.width, file=sys.stdout)
        rich.print(f"[bold]{escape(printable(title))}[/]", highlight=False)
        rich.print(laid.table)
        if laid.note:
            rich.print(laid.note, highlight=False)
        rich.print()

    def document(self, value: Any) -> None:
        """Print the one JSON document of --json; a failure after it has none of its own."""
        if self.as_json and not self._documented:
            self._documented = True
            typer.echo(json.dumps(_finite(value), default=_plain))

    def progress(self, event: Progress) -> None:
        """Show one step of progress: a bar on a terminal, a plain line elsewhere.

        An event without a note only moves the bar; elsewhere few of them get a line (`Pace`).
        """
        if event.run_id and (file := os.environ.get(RUN_FILE)):
            from lungreg.formats.local_files import write_file

            write_file(Path(file), f"{event.run_id}\n".encode())
        if self.quiet or self.as_json:
            return
        note = printable(event.public if self.anonymous else event.note)
        if self.bar is None:
            if event.note or self._is_due(event):
                self.line("  ".join(filter(None, [f"{event.step} {_amount(event)}".strip(), note])))
            return
        if event.note:
            from rich.markup import escape

            line = f"{event.step} {_amount(event)}".strip()
            self.bar.console.print(escape(f"{line}  {note}"), highlight=False)
        self._move(self.bar, event)

    def _is_due(self, event: Progress) -> bool:
        """Whether an event without a note gets a line: a step of one piece has it at its start."""
        if event.is_whole:
            return event.done == 0
        return self._pace.is_due(event.step, event.done, event.total)

    def _move(self, bar: RichProgress, event: Progress) -> None:
        """Move the bar of a step; one at its end is left above, and costs nothing any more."""
        bar.start()
        if event.step not in self._tasks:
            title = f"{event.step} ({event.unit})" if event.unit else event.step
            self._tasks[event.step] = bar.add_task(title, total=None, amount="")
        unknown = event.is_whole and event.done == 0
        bar.update(
            self._tasks[event.step],
            completed=event.done,
            total=None if unknown else event.total,
            amount=_amount(event, unit=False),
        )
        for task in bar.tasks:
            if task.finished:
                bar.console.print(bar.make_tasks_table([task]))
                bar.remove_task(task.id)
                self._tasks.pop(event.step, None)

    def ask(self, question: str) -> bool:
        """Ask a yes-or-no question on stderr; False without asking where --json or -q hides it."""
        if self.quiet or self.as_json:
            return False
        self.stop_bar()
        return typer.confirm(printable(question), err=True)

    def stop_bar(self) -> None:
        """Leave the bars as they are; the next event of progress draws them again."""
        if self.bar is not None and self.bar.live.is_started:
            self.bar.stop()

    def _rich(self) -> Any:
        from rich.console import Console as RichConsole

        if self.bar is not None:
            if not self.bar.tasks:
                self.bar.stop()
            return self.bar.console
        return RichConsole(width=terminal_width(), file=sys.stdout)


def _amount(event: Progress, *, unit: bool = True) -> str:
    """How far a step is: "3/10", "3/10 MB", "3 MB" where the whole is not known, and its loss."""
    counted = f"{event.done}" if event.total is None else f"{event.done}/{event.total}"
    parts = ["" if event.is_whole else counted, event.unit if unit else ""]
    parts += [] if event.loss is None else [f"loss {event.loss:.4f}"]
    return " ".join(filter(None, parts))


def _folded(text: str, width: int) -> str:
    """An item of a list, of as many lines as it takes; no word is cut."""
    return textwrap.fill(
        text,
        width,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def printable(text: str, *, keep: str = "") -> str:
    """The text with control characters as escapes: a file's name must not control a terminal.

    Args:
        text: Any text.
        keep: Characters to leave as they are.
    """
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def _finite(value: Any) -> Any:
    """The value with None in place of NaN and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: object) -> object:
    """A value that JSON has no type for: a decimal as a number, anything else as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
