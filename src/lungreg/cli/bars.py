"""Progress events as bars, on a terminal or in a notebook; as lines elsewhere."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lungreg.cli.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from lungreg.workflows.progress import OnProgress

_TEXT_WIDTHS = 20, 17
"""Of "level 1 of 3, 2.5 mm" and "15/15 loss 0.4280"."""
_BAR_WIDTH = 28
_REFRESHES_PER_S = 4
"""Few: each takes the interpreter from the work for some milliseconds."""
_LONGEST_WAIT_S = 2.0


@contextmanager
def shown_progress(console: Console) -> Iterator[None]:
    """Show `Console.progress` as bars while the block runs, where bars can be drawn."""
    if console.quiet or console.as_json or not (_on_terminal() or _in_notebook()):
        yield
        return
    console.bar = _bars()  # Drawn by the first event: most commands leave the cursor alone.
    try:
        yield
    finally:
        if console.telling is not None:
            console.telling.join(_LONGEST_WAIT_S)  # Before the bars end: it draws them too.
        console.stop_bar()
        console.bar = None


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Show the progress of calls: bars on a terminal or in a notebook, lines elsewhere.

        with lungreg.progress_bar() as show_it:
            lungreg.register(pair, "out", on_progress=show_it)

    Bars in a notebook need the package ipywidgets; without it lines are printed. What is given to
    `on_progress` may as well be a function of your own that takes a `lungreg.Progress`.
    """
    console = Console(quiet=False, as_json=False)
    with shown_progress(console):
        yield console.progress


def tell_at_once(console: Console, text: str) -> None:
    """Say from a signal's handler, on stderr, what must be seen before the command has ended.

    On a terminal with bars it comes above them, since they would be drawn over it. They are locked
    while they are drawn, and the handler may have interrupted just that: it must not wait for them.
    """
    bars = console.bar
    if bars is None or not os.isatty(2):
        os.write(2, f"{text}\n".encode())
        return
    console.telling = threading.Thread(target=bars.console.print, args=(text,), daemon=True)
    console.telling.start()


def _bars() -> RichProgress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # Of equal widths, since bars that are done are drawn apart.
    name, amount = (Column(min_width=width, no_wrap=True) for width in _TEXT_WIDTHS)
    return Progress(
        TextColumn("{task.description}", table_column=name),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[amount]}", table_column=amount),
        TimeElapsedColumn(),
        refresh_per_second=_REFRESHES_PER_S,
        transient=_in_notebook(),  # Its last picture would else stay there.
    )


def _on_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def _in_notebook() -> bool:
    """Whether rich can draw in the notebook that this process serves, if it serves one."""
    if "ipykernel" not in sys.modules or importlib.util.find_spec("ipywidgets") is None:
        return False
    from rich.console import Console as RichConsole

    return RichConsole().is_jupyter
