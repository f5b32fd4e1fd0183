"""The notebooks in the account: their workspace, what they install, and who may use both.

Notebooks of Snowflake are files of a workspace, since its first kind of notebook, made by CREATE
NOTEBOOK, cannot be made any more from September 2026 on (behaviour change 2307). A workspace in a
schema is shared by roles; whoever opens a notebook of it chooses compute pool and Python (3.10 to
3.12) for a service of their own. The statements are those of Snowflake's pages "Workspace
operations using SQL" and "Shared workspaces", and of its own command line's `app deploy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lungreg.backends.snowflake.connection.faults import number_of
from lungreg.backends.snowflake.jobs.payload import integrations_of
from lungreg.backends.snowflake.setup.grants import Grant
from lungreg.backends.snowflake.setup.notebook_files import NotebookFile
from lungreg.backends.snowflake.setup.objects import create_stage
from lungreg.backends.snowflake.setup.statement import Ask, Statement, mark_of
from lungreg.config import SnowflakeBackend

_LIVE_ALREADY = 99106
"""Number of the error where the workspace has a version that can be written to."""
_OPEN_NOTE = "An error that a live version exists already does no harm: go on."


def notebook_statements(settings: SnowflakeBackend) -> list[Statement]:
    """Stage, workspace and grants, in the role of `roles.setup`; run again they change nothing."""
    return [
        Statement(sql=f"{create_stage(settings.packages)} COMMENT = '{mark_of(settings)}'"),
        Statement(sql=f"CREATE WORKSPACE IF NOT EXISTS {settings.notebooks}"),
        *(Statement(sql=grant.sql) for grant in notebook_grants(settings)),
    ]


def notebook_grants(settings: SnowflakeBackend) -> list[Grant]:
    """What the roles of the three notebooks need beside the privileges of their steps.

    To read what is installed and the notebooks, which only setup changes; and, for ingest, whose
    step starts no job, the compute pool that its notebook runs on, and the way out of it.
    """
    roles = settings.roles
    egress = [roles.ingest] if settings.egress.hosts else []
    return [
        *(Grant("READ", "STAGE", settings.packages, role) for role in _users(settings)),
        *(Grant("READ", "WORKSPACE", settings.notebooks, role) for role in _users(settings)),
        Grant("USAGE", "COMPUTE POOL", settings.compute_pool.name, roles.ingest),
        *(Grant("USAGE", "INTEGRATION", settings.egress.name, role) for role in egress),
    ]


def notebook_script(settings: SnowflakeBackend) -> str:
    """The statements, and in comments the files, which `--execute` makes and uploads."""
    lines = ["", "-- The notebooks, and what they install:"]
    lines += [f"{statement.sql};" for statement in notebook_statements(settings)]
    return "\n".join([*lines, *_by_hand(settings)]) + "\n"


def put_notebooks(settings: SnowflakeBackend, files: Sequence[NotebookFile], ask: Ask) -> None:
    """Replace what notebooks install, and publish the notebooks to all who may read them.

    Harmless to do twice: a version that an earlier, broken upload has left is gone on with.
    """
    ask(f"REMOVE @{settings.packages}/")
    for file in files:
        if not file.in_workspace:
            ask(put(file.path, f"@{settings.packages}/{file.folder}"))
    _open(settings, ask)
    for file in files:
        if file.in_workspace:
            ask(put(file.path, f"{workspace_url(settings)}{file.folder}"))
    ask(f"ALTER WORKSPACE {settings.notebooks} COMMIT")


def workspace_url(settings: SnowflakeBackend) -> str:
    """Where the files of the workspace can be written, with a "/" at its end."""
    return f"snow://workspace/{settings.notebooks}/versions/live/"


def put(file: Path, place: str) -> str:
    """The statement that uploads a file as it is."""
    source = str(file).replace("\\", "\\\\").replace("'", "\\'")
    return f"PUT 'file://{source}' '{place}' AUTO_COMPRESS = FALSE OVERWRITE = TRUE"


def _open(settings: SnowflakeBackend, ask: Ask) -> None:
    """Make a version of the workspace that can be written to, if there is none."""
    try:
        ask(_open_statement(settings))
    except Exception as error:
        if number_of(error) != _LIVE_ALREADY:
            raise


def _open_statement(settings: SnowflakeBackend) -> str:
    return f"ALTER WORKSPACE {settings.notebooks} ADD LIVE VERSION FROM LAST"


def _users(settings: SnowflakeBackend) -> tuple[str, str, str]:
    """The roles of the notebooks, in their order."""
    roles = settings.roles
    return roles.ingest, roles.train, roles.infer


def _by_others(settings: SnowflakeBackend) -> list[str]:
    """Comments on integrations that setup has not made and therefore grants to nobody."""
    ingest = settings.roles.ingest
    grants = [Grant("USAGE", "INTEGRATION", name, ingest) for name in settings.integrations]
    heading = "-- Afterwards, by whoever owns these:"
    return [heading, *(f"--   {grant.sql};" for grant in grants)] if grants else []


def _by_hand(settings: SnowflakeBackend) -> list[str]:
    """Comments on the upload."""
    egress = ", ".join(integrations_of(settings))
    wheels = [] if egress else [put(Path("FOLDER/wheels/*"), f"@{settings.packages}/wheels/")]
    uploads = [
        put(Path("FOLDER/start/*"), f"@{settings.packages}/start/"),
        *wheels,
        put(Path("FOLDER/workspace/*"), workspace_url(settings)),
    ]
    return [
        "-- setup --notebooks --execute then makes and uploads the files:",
        f"--   REMOVE @{settings.packages}/;",
        f"--   {_open_statement(settings)};  -- {_OPEN_NOTE}",
        *(f"--   {sql};" for sql in uploads),
        f"--   ALTER WORKSPACE {settings.notebooks} COMMIT;",
        *_by_others(settings),
        "-- Whoever opens a notebook chooses for its service the compute pool "
        f"{settings.compute_pool.name}"
        + (f" and the external access integrations {egress}." if egress else "."),
    ]
