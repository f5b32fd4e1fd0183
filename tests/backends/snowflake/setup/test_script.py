"""The SQL of setup and teardown: well formed, and of a policy."""

from __future__ import annotations

import re

import pytest
from sqlfluff.core import Linter

from lungreg.backends.snowflake.app.app_sql import app_statements, create_app
from lungreg.backends.snowflake.jobs.schedule_sql import (
    ScheduleNames,
    drop_statements,
    schedule_statements,
)
from lungreg.backends.snowflake.setup import setup_script, setup_statements
from lungreg.backends.snowflake.setup.governance import audit_queries, governance
from lungreg.backends.snowflake.setup.notebooks import notebook_statements
from lungreg.backends.snowflake.setup.schedules import schedule_setup
from lungreg.config import SnowflakeBackend

HOSTS = ("pypi.org:443", "files.pythonhosted.org:443")
_NAME = r"[A-Z_][A-Z0-9_$]*"
_FULL = rf"{_NAME}(?:\.{_NAME}){{0,2}}"
_COMMENT = rf"COMMENT = 'Made by lungreg setup for {_NAME}'"
_HOSTS = r"'[a-z.]+:443'(?:, '[a-z.]+:443')*"
UNKNOWN_FORMS = (
    rf"CREATE COMPUTE POOL IF NOT EXISTS {_NAME} MIN_NODES = \d+ MAX_NODES = \d+ "
    rf"INSTANCE_FAMILY = {_NAME} AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE "
    rf"AUTO_SUSPEND_SECS = \d+ {_COMMENT}",
    rf"CREATE NETWORK RULE IF NOT EXISTS {_FULL} TYPE = HOST_PORT MODE = EGRESS "
    rf"VALUE_LIST = \({_HOSTS}\) {_COMMENT}",
    rf"ALTER NETWORK RULE {_FULL} SET VALUE_LIST = \({_HOSTS}\)",
    rf"CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS {_NAME} "
    rf"ALLOWED_NETWORK_RULES = \({_FULL}\) ENABLED = TRUE {_COMMENT}",
    rf"ALTER EXTERNAL ACCESS INTEGRATION {_NAME} SET ALLOWED_NETWORK_RULES = \({_FULL}\) "
    r"ENABLED = TRUE",
    rf"GRANT CREATE (SERVICE|EXPERIMENT) ON SCHEMA {_FULL} TO ROLE {_NAME}",
    rf"GRANT USAGE(, MONITOR)? ON COMPUTE POOL {_NAME} TO ROLE {_NAME}",
    rf"GRANT USAGE ON ARTIFACT REPOSITORY {_FULL} TO ROLE {_NAME}",
    rf"ALTER STAGE (IF EXISTS )?{_FULL} SET TAG {_FULL} = '[a-z ]+'",
    rf"CREATE SNOWFLAKE\.CORE\.BUDGET IF NOT EXISTS {_FULL}\(\)",
    rf"CALL {_FULL}!SET_SPENDING_LIMIT\(\d+\)",
    rf"CALL {_FULL}!ADD_RESOURCE\(SYSTEM\$REFERENCE\('COMPUTE_POOL', '{_NAME}', 'SESSION', "
    r"'APPLYBUDGET'\)\)",
    rf"CREATE STREAMLIT IF NOT EXISTS {_FULL} FROM '@{_FULL}/app/' MAIN_FILE = 'streamlit_app.py' "
    rf"QUERY_WAREHOUSE = {_NAME} TITLE = 'lungreg' {_COMMENT}",
    rf"GRANT USAGE ON STREAMLIT {_FULL} TO ROLE {_NAME}",
    rf"CREATE WORKSPACE IF NOT EXISTS {_FULL}",
    rf"GRANT READ ON WORKSPACE {_FULL} TO ROLE {_NAME}",
)
"""What sqlfluff's Snowflake does not know: each as Snowflake documents it, and nothing else."""


def statements(**changes: object) -> list[str]:
    """The SQL of setup with reachable hosts, which makes every statement there is."""
    settings = of_hosts(**changes)
    return [item.sql for item in setup_statements(settings)]


def of_hosts(**changes: object) -> SnowflakeBackend:
    raw = {"kind": "snowflake", "egress": {"hosts": HOSTS}, **changes}
    return SnowflakeBackend.model_validate(raw)


def notebooks(**changes: object) -> list[str]:
    """The SQL of `setup --notebooks` beside that of setup."""
    return [item.sql for item in notebook_statements(of_hosts(**changes))]


def schedules() -> list[str]:
    """The SQL of `setup --schedules` beside that of setup."""
    others = {"integrations": ("EAI",), "artifact_repositories": ("A.B.C",)}
    return [item.sql for item in schedule_setup(of_hosts(**others))]


def scheduled() -> list[str]:
    """The SQL of schedules and of their end, with a job's statement as the client writes it."""
    call = """CALL SYSTEM$EXECUTE_ML_JOB('A.B.C_', 'P', '{\\"ARGS\\": [\\"a\\"]}', '{}')"""
    cron = "USING CRON 0 2 * * 1-5 Europe/Berlin"
    both = [ScheduleNames(of_hosts(), command) for command in ("ingest", "infer")]
    return [
        sql
        for names in both
        for sql in (*schedule_statements(names, cron, call), *drop_statements(names))
    ]


def governed() -> list[str]:
    """The SQL of `setup --governance`, and the queries that it prints."""
    settings = of_hosts(compute_pool={"monthly_credits": 100})
    return [*(item.sql for item in governance(settings)), *audit_queries(settings)]


def app() -> list[str]:
    """The SQL of `setup --app`."""
    return [item.sql for item in (*app_statements(of_hosts()), *create_app(of_hosts()))]


@pytest.fixture(scope="module")
def linter() -> Linter:
    return Linter(dialect="snowflake")


def is_parsable(linter: Linter, sql: str) -> bool:
    """Whether sqlfluff finds its way through the whole statement."""
    tree = linter.parse_string(f"{sql};\n").tree
    return tree is not None and "unparsable" not in tree.descendant_type_set


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "sql", [*statements(), *notebooks(), *schedules(), *scheduled(), *governed(), *app()]
)
def test_every_statement_is_well_formed(linter: Linter, sql: str) -> None:
    """The parser knows the statement, or it has exactly one of the forms that it lacks."""
    is_known_form = any(re.fullmatch(form, sql) for form in UNKNOWN_FORMS)
    assert is_known_form or is_parsable(linter, sql)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "sql",
    [
        "GRANT USEAGE ON DATABASE LUNGREG TO ROLE R",
        "CREATE STAGE IF NOT EXIST A.B.C",
        "CREATE COMPUTE POOL IF NOT EXISTS P MIN_NODES = 1",
        "GRANT CREATE SERVICE ON SCHEMA A.B TO R",
    ],
)
def test_a_mistyped_statement_is_found(linter: Linter, sql: str) -> None:
    """The check above can fail: neither sqlfluff nor a known form takes these."""
    assert not any(re.fullmatch(form, sql) for form in UNKNOWN_FORMS)
    assert not is_parsable(linter, sql)


@pytest.mark.parametrize(
    "forbidden",
    [
        r"OR REPLACE",
        r"\bALL PRIVILEGES\b",
        r"GRANT ALL\b",
        r"ACCOUNTADMIN|SECURITYADMIN|SYSADMIN",
        r"0\.0\.0\.0",
        r"\bDROP\b|\bTRUNCATE\b|\bDELETE FROM\b",
        r"\bOWNERSHIP\b|WITH GRANT OPTION|MANAGE GRANTS",
        r"TO ROLE PUBLIC",
        r"PASSWORD|SECRET",
    ],
)
def test_no_statement_is_of_a_forbidden_kind(forbidden: str) -> None:
    """Nothing is replaced or dropped, nothing is granted wholesale, no host is any host."""
    script = "\n".join([setup_script(of_hosts()), *notebooks(), *schedules(), *governed(), *app()])
    assert not re.search(forbidden, script, re.IGNORECASE)


def test_every_stage_is_encrypted_by_the_server_and_has_a_directory() -> None:
    """A stage encrypted by the client cannot be read by jobs, and cannot be altered later."""
    made = [sql for sql in statements() if sql.startswith("CREATE STAGE")]
    assert len(made) == 3
    assert all("ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')" in sql for sql in made)
    assert all("DIRECTORY = (ENABLE = TRUE)" in sql for sql in made)


def test_what_costs_goes_to_sleep() -> None:
    """Compute pool and warehouse start suspended and suspend themselves."""
    (pool,) = [sql for sql in statements() if "COMPUTE POOL IF" in sql]
    (warehouse,) = [sql for sql in statements() if sql.startswith("CREATE WAREHOUSE")]
    assert "AUTO_SUSPEND_SECS = 300" in pool
    assert "AUTO_SUSPEND = 60" in warehouse
    assert all("INITIALLY_SUSPENDED = TRUE" in sql for sql in (pool, warehouse))


def test_what_exists_is_left_alone() -> None:
    """Whatever is created is created if it is missing: the script may be run by hand, and twice."""
    made = setup_statements(
        SnowflakeBackend.model_validate({"kind": "snowflake", "egress": {"hosts": HOSTS}})
    )
    created = [item for item in made if item.sql.startswith("CREATE")]
    assert len(created) > 10
    assert all("IF NOT EXISTS" in item.sql for item in created)


def test_what_is_not_ours_is_for_its_owner_to_grant() -> None:
    """Integrations and repositories of others are printed before what setup surely may."""
    raw = {"integrations": ["PYPI_EAI"], "batch": {"image_repository": "A.B.IMAGES"}}
    script = setup_script(SnowflakeBackend.model_validate({"kind": "snowflake", **raw}))
    preface, _, ours = script.partition("USE ROLE")
    for role in ("LUNGREG_TRAIN", "LUNGREG_INFER"):
        assert f"--   GRANT USAGE ON INTEGRATION PYPI_EAI TO ROLE {role};" in preface
    for privileges in ("READ, WRITE", "SERVICE READ, SERVICE WRITE"):
        granted = f"{privileges} ON IMAGE REPOSITORY A.B.IMAGES TO ROLE LUNGREG_INFER"
        assert f"--   GRANT {granted};" in preface
    assert "--   GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE LUNGREG_INFER;" in preface
    assert not re.search("PYPI_EAI|A.B.IMAGES", ours)
    plain = setup_script(SnowflakeBackend(kind="snowflake"))
    assert "-- For jobs," not in plain


def test_names_come_from_the_configuration() -> None:
    """Every name can be changed, and no default shows through."""
    names = {
        "database": "SITE",
        "utils_schema": "U1",
        "results_schema": "R1",
        "image_stage": "S1",
        "run_stage": "S2",
        "job_stage": "S3",
        "package_stage": "S4",
        "workspace": "N1",
        "result_table": "T1",
        "warehouse": "W1",
        "compute_pool": {"name": "P1"},
        "roles": {"setup": "A0", "ingest": "A1", "train": "A2", "infer": "A3", "read": "A4"},
        "egress": {"hosts": HOSTS, "name": "E1"},
    }
    text = "\n".join([*statements(**names), *notebooks(**names)])
    assert "LUNGREG" not in text
    assert "CREATE STAGE IF NOT EXISTS SITE.U1.S1" in text
    assert "USAGE, MONITOR ON COMPUTE POOL P1 TO ROLE A2" in text
