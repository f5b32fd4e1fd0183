"""What a command says when it fails: one line on stderr, and with --json an object on stdout."""

from __future__ import annotations

from typing import Any

from lungreg.errors import LungregError


def describe_failure(error: BaseException, *, anonymous: bool, verbose: bool) -> dict[str, Any]:
    """The failure for `error_document`; its "message" is the line for people.

    Args:
        error: What ended the command.
        anonymous: Leave out what may name a case.
        verbose: Whether the user sees the traceback already.
    """
    if isinstance(error, LungregError):
        message = error.anonymous if anonymous else str(error)
        got = None if error.got is None else str(error.got)
        where = None if anonymous or error.where is None else str(error.where)
        parts = {"rule": error.rule, "got": got, "mend": error.mend, "where": where}
        return {"code": error.code, "message": " ".join(message.split()), **parts}
    if isinstance(error, KeyboardInterrupt):
        return {"code": "stopped", "message": "stopped"}
    text = type(error).__name__
    if not anonymous:
        hint = "" if verbose else "; run again with -v for details"
        text = f"{' '.join(f'{text}: {error}'.split())}{hint}"
    return {"code": "unexpected", "message": f"unexpected {text}"}


def error_document(failure: dict[str, Any]) -> dict[str, Any]:
    """The document of a failed command, told from that of a finished one by its only key."""
    return {"error": failure}
