"""Replace what is there only when the user agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.console import Console
from lungreg.cli.process import at_terminal
from lungreg.errors import RunError

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output where it is there already.")
]


def may_replace(console: Console, what: str, *, overwrite: bool) -> bool:
    """Whether the user agrees: by the option, or when asked where somebody can answer.

    Args:
        console: Where the question goes.
        what: What is there, for the question: "Replace {what}?"
        overwrite: Whether the option was given.
    """
    return overwrite or (at_terminal() and console.ask(f"Replace {what}?"))


def require_agreed(
    console: Console,
    what: str,
    where: Path,
    *,
    rule: str,
    got: str,
    instead: str,
    overwrite: bool,
) -> None:
    """Refuse to replace what is there unless the user agrees; see `may_replace`.

    A command calls it before its work begins: nobody waits for an answer that may be no.

    Args:
        console: Where the question goes.
        what: What is there, for the question.
        where: The file or folder.
        rule: Of the error, such as "a file is replaced only when asked for".
        got: What is there, for the error.
        instead: What else the user can name, such as "file with -o".
        overwrite: Whether --overwrite was given.

    Raises:
        RunError: The user does not agree.
    """
    if may_replace(console, what, overwrite=overwrite):
        return
    mend = f"add --overwrite, or name another {instead}"
    raise RunError(rule, got=got, mend=mend, where=where)


def require_free(console: Console, out: Path, *, option: str = "-o", overwrite: bool) -> None:
    """Refuse to replace a file unless the user agrees.

    Args:
        console: Where the question goes.
        out: The file to write.
        option: What names it.
        overwrite: Whether --overwrite was given.

    Raises:
        RunError: The user does not agree.
    """
    from lungreg.formats.local_files import is_there

    if is_there(out):
        require_agreed(
            console,
            str(out),
            out,
            rule="a file is replaced only when asked for",
            got="one that is there",
            instead=f"file with {option}",
            overwrite=overwrite,
        )
