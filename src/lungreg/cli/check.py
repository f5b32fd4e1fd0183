"""lungreg check: what the backend's account lets this user do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console

if TYPE_CHECKING:
    from lungreg.stores import Check


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


@config_command
def check(console: Console, options: ConfigOptions) -> None:
    """Try what the steps of this role do in the account, and undo it; submit check does more.

    Privileges as setup grants them, a file on each stage, a row of the result table, a small
    model: written, read and removed. In a job also its GPU and the nodes of its Ray cluster.
    """
    from lungreg.workflows.check import check_here

    found = []
    for row in check_here(options.config()):
        if console.anonymous:  # a log, which others read line by line
            console.line(row.line)
        found.append(row)
    show(console, found)
    console.document(told(found))
    end_with(console, found)


def show(console: Console, checks: Sequence[Check]) -> None:
    """Print the table of checks, and under it each mend in a line of its own, to be copied."""
    rows = [[row.name, _STATES[row.state], row.found] for row in checks]
    console.table("Check", ("check", "state", "found"), rows)
    for row in checks:
        if row.mend and not console.anonymous:
            console.line(f"{row.name}: {row.mend}")


def told(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks for a document; without files of this machine."""
    rows = [dataclasses.asdict(row) for row in checks]
    return [{key: row[key] for key in row if key != "where"} for row in rows]


def placed(row: Check) -> str:
    """What a check found, and where, for the person at the console."""
    return f"{row.where}: {row.found}" if row.where else row.found


def end_with(console: Console, checks: Sequence[Check]) -> None:
    """End with exit code 1 where a check failed; with -q each of those is named, with its mend."""
    failed = [row for row in checks if row.state == "fail"]
    for row in failed:
        found = row.found if console.anonymous else placed(row)
        mend = f"; {row.mend}" if row.mend else ""
        console.though_quiet(f"{row.name}: {found}{mend}")
    if failed:
        raise typer.Exit(1)


_STATES = {"ok": "pass", "warn": "warn", "fail": "fail", "skipped": "skipped"}
