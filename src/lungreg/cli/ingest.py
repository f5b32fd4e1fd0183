"""lungreg ingest: bring the pairs of a source to the stage."""

from __future__ import annotations

import dataclasses

import typer

from lungreg.cli.command import SOME_FAILED, ConfigOptions, config_command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ingest)


@config_command
def ingest(
    console: Console,
    options: ConfigOptions,
) -> None:
    """Check the pairs of a source and bring them to the stage."""
    from lungreg.records import counted
    from lungreg.workflows.ingest import ingest as run

    done = run(options.config(), on_progress=console.progress)
    rows = [[row.case_id, "; ".join(row.reasons)] for row in done.rejected]
    if rows:
        console.table("Rejected", ("case", "why"), rows)
    total = (
        f"{counted(len(done.rows), 'case')}: {len(done.rows) - len(done.rejected)} on the stage "
        f"({done.unchanged} unchanged), {len(done.rejected)} rejected; "
        f"{counted(done.uploaded, 'file')} uploaded"
    )
    console.line(total)
    if done.rejected:
        console.though_quiet(total)
    for note in done.notes:
        console.line(f"warning: {note}")
    if done.key_file is not None:
        console.line(f"under pseudonyms; their key, for you alone: {done.key_file}")
    if len(done.rows) > len(done.rejected):
        console.line(f"next: {options.next_command('infer')}")
    console.document(
        {
            "uploaded": done.uploaded,
            "unchanged": done.unchanged,
            "key_file": done.key_file,
            "notes": done.notes,
            "cases": [dataclasses.asdict(row) for row in done.rows],
        }
    )
    if done.rejected:
        raise typer.Exit(SOME_FAILED)
