"""The SQL of the page of the results, and its files.

As Snowflake's pages "CREATE STREAMLIT" and "ALTER STREAMLIT" have it: FROM copies the files once;
later ones are put into the live version, without which the app shows to its owner alone. CREATE OR
REPLACE would take away its address and its grants. It runs on the warehouse with all rights of
its owner, whoever looks: that is a role of its own, which may read results and pages and keep
ratings. Whoever may use it sees case ids and pages, as the role that reads does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from lungreg.backends.snowflake.app.streamlit_app import ABOUT
from lungreg.backends.snowflake.connection.faults import number_of
from lungreg.backends.snowflake.installed import PACKAGE
from lungreg.backends.snowflake.setup.grants import Grant, given_to_setup
from lungreg.backends.snowflake.setup.notebooks import put
from lungreg.backends.snowflake.setup.objects import create_stage
from lungreg.backends.snowflake.setup.statement import Ask, Statement, mark_of
from lungreg.backends.snowflake.tables.result_sql import ratings_table, result_view
from lungreg.config import SnowflakeBackend

_FOLDER = "app"
_MAIN = "streamlit_app.py"
_LIVE_ALREADY = 99106
"""Number of the error where there is a live version, as workspaces have it."""


def app_name(settings: SnowflakeBackend) -> str:
    """Full name of the app."""
    return f"{settings.results}.{settings.app}"


def app_statements(settings: SnowflakeBackend) -> list[Statement]:
    """Before the files are there: their stage, the table of ratings, and the role of the app."""
    comment = f"COMMENT = '{mark_of(settings)}'"
    columns = (
        "run_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, rating VARCHAR NOT NULL, "
        "note VARCHAR, rated_by VARCHAR, rated_at TIMESTAMP_TZ(6)"
    )
    return [
        Statement(sql=f"{create_stage(settings.packages)} {comment}"),
        Statement(
            sql=f"CREATE TABLE IF NOT EXISTS {ratings_table(settings)} ({columns}) {comment}"
        ),
        Statement(sql=f"CREATE ROLE IF NOT EXISTS {settings.roles.app} {comment}"),
        # Setup takes the role to make the app; where it is somebody else's, that cannot be done.
        Statement(sql=given_to_setup(settings, settings.roles.app).sql),
        *(Statement(sql=grant.sql) for grant in app_grants(settings)),
    ]


def app_grants(settings: SnowflakeBackend) -> list[Grant]:
    """What the role of the app needs: to be made, to read results and pages, to keep ratings."""
    rights = (
        ("USAGE", "WAREHOUSE", settings.warehouse),
        ("USAGE", "DATABASE", settings.database),
        ("USAGE", "SCHEMA", settings.utils),
        ("USAGE, CREATE STREAMLIT", "SCHEMA", settings.results),
        ("READ", "STAGE", settings.packages),
        ("READ", "STAGE", settings.runs),
        ("SELECT", "VIEW", result_view(settings)),
        ("SELECT, INSERT", "TABLE", ratings_table(settings)),
    )
    return [Grant(*right, settings.roles.app) for right in rights]


def create_app(settings: SnowflakeBackend) -> list[Statement]:
    """Once they are there: the app, in its role."""
    return [
        Statement(
            sql=f"CREATE STREAMLIT IF NOT EXISTS {app_name(settings)} FROM '{_source(settings)}' "
            f"MAIN_FILE = '{_MAIN}' QUERY_WAREHOUSE = {settings.warehouse} "
            f"TITLE = 'lungreg' COMMENT = '{mark_of(settings)}'"
        )
    ]


def share_app(settings: SnowflakeBackend) -> list[Statement]:
    """Who may use it: in a managed schema its owner, the role of setup, says so."""
    users = settings.roles.infer, settings.roles.read
    return [
        Statement(sql=Grant("USAGE", "STREAMLIT", app_name(settings), role).sql) for role in users
    ]


def app_script(settings: SnowflakeBackend) -> str:
    """The statements, and in comments the upload, which `--execute` does."""
    before = [f"{each.sql};" for each in app_statements(settings)]
    made = [f"{each.sql};" for each in create_app(settings)]
    shared = [f"{each.sql};" for each in share_app(settings)]
    upload = put(Path("FOLDER/*"), _source(settings))
    live = [f"{_open(settings)};", f"{put(Path('FOLDER/*'), _live(settings))};"]
    return "\n".join(
        [
            "",
            "-- The page of the results:",
            *before,
            f"-- setup --app --execute makes and uploads the files:\n--   {upload};",
            _use(settings.roles.app) + ";",
            *made,
            "-- and, where the app was there before, replaces them:",
            *(f"--   {line}" for line in live),
            _use(settings.roles.setup) + ";",
            *shared,
            "",
        ]
    )


def write_app(settings: SnowflakeBackend, folder: Path) -> list[Path]:
    """Write the files of the app into an empty folder."""
    here = resources.files("lungreg.backends.snowflake.app")
    sources = [here / _MAIN, here / "environment.yml", resources.files(PACKAGE) / "app" / "page.py"]
    for source in sources:
        (folder / source.name).write_bytes(source.read_bytes())
    about = {
        "view": result_view(settings),
        "stage": settings.runs,
        "ratings": ratings_table(settings),
    }
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return sorted(folder.iterdir())


def put_app(settings: SnowflakeBackend, files: Sequence[Path], ask: Ask) -> None:
    """Make the app, or replace its files; harmless to do twice."""
    for statement in app_statements(settings):
        ask(statement.sql)
    ask(f"REMOVE {_source(settings)}")
    for file in files:
        ask(put(file, _source(settings)))
    ask(_use(settings.roles.app))
    for statement in create_app(settings):
        ask(statement.sql)
    try:
        ask(_open(settings))
    except Exception as error:
        if number_of(error) != _LIVE_ALREADY:
            raise
    for file in files:
        ask(put(file, _live(settings)))
    ask(_use(settings.roles.setup))
    for statement in share_app(settings):
        ask(statement.sql)


def _use(role: str) -> str:
    return f"USE ROLE {role}"


def _source(settings: SnowflakeBackend) -> str:
    return f"@{settings.packages}/{_FOLDER}/"


def _live(settings: SnowflakeBackend) -> str:
    return f"snow://streamlit/{app_name(settings)}/versions/live/"


def _open(settings: SnowflakeBackend) -> str:
    return f"ALTER STREAMLIT {app_name(settings)} ADD LIVE VERSION FROM LAST"
