"""Verdicts in words: of one case with its reasons, of many how often each was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lungreg.cli.console import Console

if TYPE_CHECKING:
    from lungreg.records import CaseEvaluation, CaseResult


def print_verdict(
    console: Console, row: CaseEvaluation | CaseResult, reasons: Sequence[str]
) -> None:
    """Print a verdict and its reasons, one below the other; with -q one line if it is no pass."""
    words = row.words
    console.items(f"verdict: {words}", reasons)
    if not _passed(row):
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        console.though_quiet(": ".join(["verdict", words, *reasons[:1]]) + more)


def print_verdicts(console: Console, rows: Sequence[CaseResult]) -> None:
    """Print how many cases have each verdict, with what it rests on."""
    console.line(_counts(rows))


def tell_doubtful(
    console: Console, rows: Sequence[CaseEvaluation] | Sequence[CaseResult], run: str = ""
) -> None:
    """With -q, say in one line how many cases have each verdict, unless all of them pass.

    Args:
        console: Where to.
        rows: Of the cases.
        run: The run that they are of, if its id is news to the user.
    """
    if not all(map(_passed, rows)):
        console.though_quiet(": ".join([*([f"run {run}"] if run else []), _counts(rows)]))


def _counts(rows: Sequence[CaseEvaluation] | Sequence[CaseResult]) -> str:
    from lungreg.records import counted

    shown = ", ".join(
        f"{n} {words}" for words, n in sorted(Counter(row.words for row in rows).items())
    )
    return f"{counted(len(rows), 'case')}: {shown}"


def _passed(row: CaseEvaluation | CaseResult) -> bool:
    from lungreg.records import Status, Verdict

    return row.status == Status.SUCCESS and row.verdict == Verdict.PASS
