"""lungreg setup and teardown: make or drop the objects of a backend in its account."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungreg.stores import Removal, SetupPart


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(setup)
    app.command()(teardown)


@config_command
def setup(
    console: Console,
    options: ConfigOptions,
    execute: Annotated[
        bool,
        typer.Option(
            "--execute/--print",
            help="Run the statements, in the role of backend.roles.setup; or only show them, "
            "which connects to nothing.",
        ),
    ] = False,
    notebooks: Annotated[
        bool,
        typer.Option(
            "--notebooks",
            help="Also put the three notebooks, with what they install, into a workspace for the "
            "roles of ingest, train and infer.",
        ),
    ] = False,
    schedules: Annotated[
        bool,
        typer.Option(
            "--schedules",
            help="Also make what 'submit ingest|infer --schedule' needs: a stage for new scans, "
            "and the privileges to run tasks.",
        ),
    ] = False,
    governance: Annotated[
        bool,
        typer.Option(
            "--governance",
            help="Also tag what holds case ids, mask them for other roles, make a budget for the "
            "pool, and print the queries that audit who read what.",
        ),
    ] = False,
    app: Annotated[
        bool,
        typer.Option(
            "--app", help="Also make a page of the results in Streamlit, for infer and read."
        ),
    ] = False,
) -> None:
    """Show or make what the backend needs in its account; run twice it changes nothing.

    --execute needs the role of backend.roles.setup, LUNGREG_SETUP unless configured otherwise,
    which an administrator makes: the first lines of the script say how.
    """
    from lungreg.records import counted
    from lungreg.workflows.setup import provisioner_of

    config = options.config()
    provisioner = provisioner_of(config)
    parts: list[SetupPart] = ["schedules"] if schedules else []
    parts += ["governance"] if governance else []
    if not execute:
        script = provisioner.script() + (provisioner.notebook_script() if notebooks else "")
        script += provisioner.app_script() if app else ""
        script += "".join(provisioner.part_script(part) for part in parts)
        console.line(script.rstrip())
        console.document({"script": script})
        return
    done = provisioner.make()
    console.line(
        f"{counted(done.made, 'object')} made; {done.found} already there and unchanged; "
        f"{counted(done.statements, 'statement')} run in all"
    )
    if app:  # before governance, which tags its table too
        console.line(f"the page of the results is {provisioner.make_app()}: open it in Snowsight")
    left = [*done.left, *(sql for part in parts for sql in provisioner.make_part(part))]
    notes = [note for part in parts for note in provisioner.part_notes(part)]
    _print_left(console, left, notes)
    put = provisioner.make_notebooks(config) if notebooks else 0
    if notebooks:
        console.line(f"{counted(put, 'file')} of the notebooks in place: open them in Snowsight")
    console.document(
        {**dataclasses.asdict(done), "left": left, "notes": notes, "notebook_files": put}
    )


def _print_left(console: Console, left: Sequence[str], notes: Sequence[str]) -> None:
    """Print the SQL that others run, and what a person is told beside."""
    if left:
        console.line("left to an administrator, to whoever owns the object, or to an edition that")
        console.line("has it:")
        console.line("\n".join(f"  {sql};" for sql in left))
    if notes:
        console.line("\n".join(notes))


@config_command
def teardown(
    console: Console,
    options: ConfigOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Drop without asking.")] = False,
) -> None:
    """List what setup has made, ask, and drop it with all scans, models and results."""
    from lungreg.records import counted
    from lungreg.workflows.setup import provisioner_of

    provisioner = provisioner_of(options.config())
    found = provisioner.removals()
    doomed = [removal for removal in found if removal.statements]
    _print_removals(console, found)
    question = f"Drop {counted(len(doomed), 'object')} with all they hold, for good?"
    is_agreed = bool(doomed) and (yes or console.ask(question))
    if is_agreed:
        provisioner.remove(doomed)
    console.line(f"{len(doomed)} dropped" if is_agreed else "nothing dropped")
    console.document(
        {"dropped": is_agreed, "found": [dataclasses.asdict(removal) for removal in found]}
    )


def _print_removals(console: Console, found: Sequence[Removal]) -> None:
    rows = [[r.kind, r.name, f"kept: {r.kept}" if r.kept else "drop", r.holds] for r in found]
    console.table("Found in the account", ("kind", "name", "what", "holds"), rows)
