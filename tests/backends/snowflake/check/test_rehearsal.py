"""What is tried in an account, from here and in a job; one account serves all tests."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lungreg.backends.snowflake.check.rehearsal import try_out
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.grants import RUN_BATCH, Grant, grants_of
from lungreg.config import SnowflakeBackend, parse_config
from lungreg.distributed import nodes
from lungreg.distributed.nodes import Node
from lungreg.errors import ForbiddenError
from lungreg.stores import Check
from tests.backends.snowflake.check.conftest import SETTINGS, Checked
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer
from tests.site import run

TRAIN, INFER, READ = "LUNGREG_TRAIN", "LUNGREG_INFER", "LUNGREG_READ"
INGEST = "LUNGREG_INGEST"
PYPI = "snowflake.snowpark.pypi_shared_repository"
ROW = "may: database role PYPI_REPOSITORY_USER"
ONLY_OF_TRAIN = ("CREATE MODEL", "CREATE STAGE", "CREATE EXPERIMENT")
TRIED = {
    TRAIN: {"session", "stage RUNS", "directory of JOBS", "temporary stage", "model", "experiment"},
    INFER: {"session", "stage IMAGES", "table REGISTRATION_RESULTS", "view RESULTS", "models"},
}
"""Some of the rows of each role, beside those on what it is granted."""


@pytest.mark.parametrize("role", [TRAIN, INFER])
def test_after_setup_all_is_well_and_nothing_is_left(
    checked: Checked, role: str, running: Peer
) -> None:
    """Each row passes, but for the privilege that only run-batch needs."""
    checked.privileges.refused.clear()
    rows = checked.rows(role)
    assert TRIED[role] <= rows.keys()
    assert {row.name for row in rows.values() if row.state != "ok"} == (
        {"may: account"} if role == INFER else set()
    )
    assert checked.privileges.refused == []
    assert list(running.stages.root.rglob("lungreg-check/*")) == []
    assert checked.left() == 0
    if role == TRAIN:
        assert rows["model"].found == "logged, loaded, dropped; with lineage to its input"


def needed() -> list[tuple[str, Grant, str]]:
    """Each privilege that jobs need, with its role: of training only what inference has not."""
    settings = Checked.plain()
    found = []
    for role in (TRAIN, INFER):
        for grant in grants_of(settings, role):
            for privilege in grant.privileges.split(", "):
                is_told = grant.only_for != RUN_BATCH and not grant.kind.startswith("ALL ")
                if is_told and (role == INFER or privilege in ONLY_OF_TRAIN):
                    found.append((role, grant, privilege))
    return found


NEEDED_BY_OTHERS = ("USAGE", "READ", "WRITE", "CREATE STAGE")
"""Without these a stage's directory is not refreshed, or no model tried."""
FAILING = {
    ("USAGE", "WAREHOUSE"): {"session", "table REGISTRATION_RESULTS", "view RESULTS"},
    ("USAGE", "DATABASE"): {"stage RUNS", "stage IMAGES", "table REGISTRATION_RESULTS", "models"},
    ("READ", "STAGE"): set(),
    ("WRITE", "STAGE"): set(),
    ("SELECT", "TABLE"): {"table REGISTRATION_RESULTS"},
    ("INSERT", "TABLE"): {"table REGISTRATION_RESULTS"},
    ("UPDATE", "TABLE"): {"table REGISTRATION_RESULTS"},
    ("SELECT", "VIEW"): {"view RESULTS"},
    ("CREATE STAGE", "SCHEMA"): {"temporary stage"},
    ("CREATE MODEL", "SCHEMA"): {"model"},
    ("USAGE", "SCHEMA"): set(),
}
"""What fails, beside the row of the grant, when it is tried without a privilege."""


@pytest.mark.parametrize(
    ("role", "grant", "privilege"),
    needed(),
    ids=[f"{privilege} ON {grant.object}" for _, grant, privilege in needed()],
)
def test_each_privilege_that_is_taken_away_is_named_with_its_mend(
    checked: Checked, role: str, grant: Grant, privilege: str
) -> None:
    """Its row fails with the statement that grants it; what has nothing to do with it passes."""
    # The others are only looked for here: a job tries them, or what tries them takes long.
    is_tried = (privilege, grant.kind) in FAILING
    with checked.without(role, privilege, grant):
        rows = checked.rows(role) if is_tried else checked.granted(role)
    lost = [row for row in rows.values() if row.name.startswith("may: ") and row.state == "fail"]
    (row,) = lost
    statement = f"GRANT {privilege} ON {grant.object} TO ROLE {role}"
    assert f"{role} is granted {privilege}," in row.found
    assert statement in row.mend
    states = Counter(row.state for row in rows.values())
    assert not states["skipped"] or privilege in NEEDED_BY_OTHERS
    assert states["ok"] >= 8
    named = FAILING.get((privilege, grant.kind), set())
    if grant.kind == "STAGE":
        named = {f"stage {grant.name.rpartition('.')[2]}"}
    assert named <= {row.name for row in rows.values() if row.state == "fail"}


def test_a_role_of_nobody_is_told_so_and_tried_as_one_that_runs_jobs(checked: Checked) -> None:
    """What training and inference need is looked for, in the roles that it has too."""
    checked.privileges.give("PUBLIC", "USAGE", READ, kind="ROLE")
    rows = {row.name: row for row in try_out(checked.source("PUBLIC"))}
    checked.privileges.take("PUBLIC", "USAGE", READ)
    assert rows["role"].state == "warn"
    assert rows["may: schema RESULTS"].state == "ok"
    assert "CREATE MODEL ON SCHEMA CHECKED.UTILS TO ROLE PUBLIC" in rows["may: schema UTILS"].mend
    assert rows["model"].found == "needs temporary stage"


def test_no_login_is_one_failure(checked: Checked) -> None:
    """Nothing else is asked then, and that is said."""
    source = checked.source(TRAIN)
    settings = source.settings.model_copy(update={"connection": "nobody"})
    session, account = try_out(type(source)(settings))
    assert (session.state, account.state) == ("fail", "skipped")
    assert session.mend.startswith("add it to that file")


def test_a_job_that_may_not_use_its_repository_is_refused(
    checked: Checked, service: JobService, tmp_path: Path
) -> None:
    """PUBLIC may use the shared PyPI, unless that was revoked: then the mend is the grant."""
    config = parse_config({"backend": {**SETTINGS, "artifact_repositories": [PYPI]}})
    assert isinstance(config.backend, SnowflakeBackend)
    account = replace(checked, settings=config.backend)
    jobs = SnowflakeJobs(account.source(TRAIN))
    assert account.granted(TRAIN)[ROW].state == "ok"
    jobs.submit(["check"], config)
    assert service.submitted[0]["spec"]["ARTIFACT_REPOSITORIES"] == [PYPI]
    checked.privileges.take("PUBLIC", "USAGE", "SNOWFLAKE.PYPI_REPOSITORY_USER")
    try:
        row = account.granted(TRAIN)[ROW]
        with pytest.raises(ForbiddenError):
            jobs.submit(["check"], config)
    finally:
        checked.privileges.give("PUBLIC", "USAGE", "SNOWFLAKE.PYPI_REPOSITORY_USER")
    assert row.state == "fail"
    assert row.mend.startswith(
        f"GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE {TRAIN}; by an administrator"
    )


SESSION = Check(name="session", state="ok", found="role LUNGREG_INFER, warehouse LUNGREG_WH")
IMAGE = Check(name="image", state="ok", found="gpu_x86_64:2.6.0-py311")


@pytest.fixture
def config(checked: Checked, tmp_path: Path) -> str:
    """A configuration file in the role that infers."""
    file = tmp_path / "lungreg.yaml"
    backend = {**SETTINGS, "role": INFER}
    file.write_text(yaml.safe_dump({"backend": backend}))
    return str(file)


@pytest.fixture
def service(
    checked: Checked, running: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> JobService:
    """Jobs that end at once; canned answers stay for the tests after this one."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    # Packing the wheel has tests of its own, and takes a second.
    packed = tmp_path / "lungreg-1-py3-none-any.whl"
    monkeypatch.setattr("lungreg.backends.snowflake.jobs.payload.write_wheel", lambda _: packed)
    found = JobService(running)
    found.statuses = ["DONE"]
    return found


def test_in_a_job_each_row_is_a_line_of_the_log(
    config: str, service: JobService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the GPU that the pool should have, and every node of the cluster."""
    monkeypatch.setenv("SNOWFLAKE_JOB_INDEX", "0")
    monkeypatch.setenv("RAY_ADDRESS", "auto")  # as a job is started; and none is left behind
    monkeypatch.setenv("SNOWFLAKE_JOBS_COUNT", "2")
    monkeypatch.setenv("LUNGREG_ANONYMOUS", "1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    there = [Node(cpus=6, gpus=1, version="1.2"), Node(cpus=6, gpus=1, version="1.1")]
    monkeypatch.setattr(nodes, "ask_nodes", lambda: there)
    done = run("check", "-c", config)
    rows = {row.name: row for line in done.out.splitlines() if (row := Check.from_line(line))}
    assert done.code == 1
    assert len(done.out.splitlines()) == len(rows)
    assert {name for name, row in rows.items() if row.state == "fail"} == {"ray", "gpu"}
    assert rows["ray"].found.startswith("2 nodes of 2: 6 CPUs, 1 GPU, lungreg 1.2; ")
    assert "no CUDA" in rows["gpu"].found
    assert "backend.runtime whose PyTorch" in rows["gpu"].mend
    assert rows["table REGISTRATION_RESULTS"].state == "ok"


def test_the_rows_of_a_job_are_shown_as_a_table(
    config: str, service: JobService, checked: Checked
) -> None:
    """All passed: exit code 0; its own entrypoint is sent, and read by nobody else."""
    lines = ["pip says something", IMAGE.line, SESSION.line, "lungreg: exit code 0"]
    service.logs = ["\n".join(lines)]
    checked.privileges.give(INFER, "USAGE", "MY_POOL")
    done = run("submit", "check", "--compute-pool", "MY_POOL", "-c", config)
    assert done.code == 0, done
    assert "ok: image: gpu_x86_64:2.6.0-py311" in done.out.splitlines()
    table = done.out[done.out.index("Check\n") :]
    assert [word for word in ("job", "image", "session", "pass") if word not in table] == []
    (job,) = service.submitted
    assert job["pool"] == "MY_POOL"
    assert any(text.endswith("start_check.py") for text in job["spec"]["ARGS"])


def test_a_row_that_failed_fails_the_command(config: str, service: JobService) -> None:
    """With --json the rows as they came, and the job."""
    failed = Check(name="plan", state="fail", found="no leaf", mend="take a newer backend.runtime")
    service.logs = [f"{failed.line}\n{SESSION.line}\nlungreg: exit code 1"]
    done = run("submit", "check", "--json", "-c", config)
    rows = {row["name"]: row for row in done.document["checks"]}
    assert (done.code, [*rows]) == (1, ["job", "plan", "session"])
    assert rows["plan"]["mend"] == failed.mend
    assert done.document["job_id"].startswith("CHECKED.UTILS.LUNGREG_CHECK_")


def test_what_a_job_cannot_check_is_checked_from_here(config: str, service: JobService) -> None:
    """A job whose installation failed, and one that the account never took."""
    failed = Check(name="install", state="fail", found="no space left")
    service.logs = [f"{failed.line}\nlungreg: exit code 1"]
    rows = checks(run("submit", "check", "--json", "-c", config).out)
    assert (rows["install"].state, rows["stage RUNS"].state) == ("fail", "ok")


def test_a_job_that_is_refused_is_a_row(config: str, service: JobService, checked: Checked) -> None:
    """Without CREATE SERVICE no job starts: the rest is tried, with the pool that was asked for."""
    checked.privileges.take(INFER, "CREATE SERVICE", "CHECKED.UTILS")
    try:
        done = run("submit", "check", "--compute-pool", "OTHER", "--json", "-c", config)
    finally:
        checked.privileges.give(INFER, "CREATE SERVICE", "CHECKED.UTILS")
    rows = checks(done.out)
    assert (done.code, rows["job"].state) == (1, "fail")
    assert "GRANT CREATE SERVICE ON SCHEMA CHECKED.UTILS" in rows["may: schema UTILS"].mend
    assert rows["image, packages, gpu, ray"].state == "skipped"
    assert "USAGE, MONITOR ON COMPUTE POOL OTHER" in rows["may: compute pool OTHER"].mend
    assert rows["stage JOBS"].state == "ok"


def checks(out: str) -> dict[str, Check]:
    return {row["name"]: Check(**row) for row in json.loads(out)["checks"]}


def test_a_local_backend_has_nothing_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the key, and the command that checks a machine."""
    monkeypatch.chdir(tmp_path)
    for arguments in (("check",), ("submit", "check")):
        done = run(*arguments)
        assert (done.code, "backend.kind: snowflake" in done.err) == (1, True)


def test_what_schedules_take_is_looked_for_where_setup_was_asked_for_them(
    checked: Checked,
) -> None:
    """An administrator's grant that is missing is named, with its statement. The last test here."""
    assert checked.granted(INFER)["may: schedules"].found.startswith("not set up")
    assert "may: schedules" not in checked.granted(TRAIN)
    SnowflakeProvisioner(SessionSource(checked.settings)).make_part("schedules")
    for role in (INGEST, INFER):
        row = checked.granted(role)["may: schedules"]
        assert (row.state, row.mend) == (
            "fail",
            f"GRANT EXECUTE TASK, EXECUTE MANAGED TASK ON ACCOUNT TO ROLE {role}; by an "
            "administrator, or by whoever owns the object",
        )
        for privilege in ("EXECUTE TASK", "EXECUTE MANAGED TASK"):
            checked.privileges.give(role, privilege, "ACCOUNT", kind="ACCOUNT")
        assert checked.granted(role)["may: schedules"].state == "ok"
    checked.privileges.take(INFER, "CREATE STREAM", "CHECKED.UTILS")
    mend = checked.granted(INFER)["may: schedules"].mend
    assert mend.endswith("TO ROLE LUNGREG_INFER; or run 'lungreg setup --schedules --execute'")
