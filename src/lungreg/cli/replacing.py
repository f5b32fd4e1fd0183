"""Replace what is there only when the user agrees."""

from __future__ import annotations

from lungreg.cli.console import Console
from lungreg.cli.process import at_terminal


def may_replace(console: Console, what: str, *, overwrite: bool) -> bool:
    """Whether the user agrees: by the option, or when asked where somebody can answer.

    Args:
        console: Where the question goes.
        what: What is there, for the question: "Replace {what}?"
        overwrite: Whether the option was given.
    """
    return overwrite or (at_terminal() and console.ask(f"Replace {what}?"))
