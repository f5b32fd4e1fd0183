"""Progress as a bar on a terminal and as lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as RichConsole
from rich.progress import Progress as RichProgress

from lungreg.cli.console import Console
from lungreg.workflows.progress import Progress


def megabytes(done: int, total: int | None) -> Progress:
    return Progress(step="download", done=done, total=total, unit="MB")


@pytest.mark.parametrize("total", [40, None])
def test_on_a_terminal_a_count_moves_one_bar(total: int | None) -> None:
    """Nothing is printed above it, and its end may be unknown."""
    screen = io.StringIO()
    with RichProgress(console=RichConsole(file=screen), auto_refresh=False) as bar:
        console = Console(verbose=False, quiet=False, as_json=False, bar=bar)
        for done in range(1, 40):
            console.progress(megabytes(done, total))
        assert screen.getvalue() == ""
        (task,) = bar.tasks
    assert (task.description, task.completed, task.total) == ("download (MB)", 39, total)


def test_elsewhere_it_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the whole, where it is known, and the unit."""
    console = Console(verbose=False, quiet=False, as_json=False)
    console.progress(megabytes(3, 40))
    console.progress(megabytes(1, None))
    console.progress(Progress(step="ingest", done=1, total=2, note="case_001: pass"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["download 3/40 MB", "download 1 MB", "ingest 1/2  case_001: pass"]
