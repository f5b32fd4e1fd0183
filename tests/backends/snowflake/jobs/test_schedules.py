"""Schedules: the real client's statement in a task, in its role, and nothing without new files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lungreg.backends import open_backend
from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs.schedules import SnowflakeSchedules
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.config import Config, SnowflakeBackend, parse_config
from lungreg.errors import ConfigError, ForbiddenError, NotFoundError
from lungreg.stores import Scheduler
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account
from tests.site import run

INFER, INGEST = "LUNGREG_INFER", "LUNGREG_INGEST"
CRON = "USING CRON 0 2 * * * Europe/Berlin"
SETTINGS = {
    "kind": "snowflake",
    "connection": CONNECTION,
    "database": "SCHEDULED",
    "timeout_s": 10,
    "egress": {"hosts": ["pypi.org:443"]},
}


class There:
    """One account that was set up with --schedules, for all tests of this file."""

    def __init__(self, peer: Peer) -> None:
        self.service, self.account = JobService(peer), Account(peer)
        self.privileges = Privileges(peer)
        self.account.tasks.may_execute = lambda role: "EXECUTE TASK" in self.held(str(role))
        provisioner = SnowflakeProvisioner(SessionSource(self.settings()))
        provisioner.make()
        self.left = provisioner.make_part("schedules")

    def held(self, role: str) -> set[str]:
        return self.privileges._held[role, "ACCOUNT"]

    def settings(self, role: str | None = None) -> SnowflakeBackend:
        return SnowflakeBackend.model_validate({**SETTINGS, "role": role})

    def schedules(self, role: str) -> SnowflakeSchedules:
        return SnowflakeSchedules(SessionSource(self.settings(role)))

    def says(self, role: str | None, sql: str) -> object:
        return SessionSource(self.settings(role)).run(sql)

    def clock(self) -> list[str]:
        """What ran when its time came, without database and schema."""
        return [name.rpartition(".")[2] for name in self.account.tasks.clock(self.says)]


@pytest.fixture(scope="module")
def there(running: Peer) -> Iterator[There]:
    running.forget()
    try:
        yield There(running)
    finally:
        close_all()
        running.forget()


@pytest.fixture(autouse=True)
def _packed_already(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Packing the wheel has tests of its own, and takes a second."""
    packed = tmp_path / "lungreg-1-py3-none-any.whl"
    monkeypatch.setattr("lungreg.backends.snowflake.jobs.payload.write_wheel", lambda _: packed)


def config_of(**ingest: object) -> Config:
    return parse_config({"backend": SETTINGS, "ingest": ingest, "infer": {"cases": ["Meier"]}})


def file_of(tmp_path: Path, role: str, **ingest: object) -> str:
    file = tmp_path / f"{role}.yaml"
    file.write_text(yaml.safe_dump({"backend": {**SETTINGS, "role": role}, "ingest": ingest}))
    return str(file)


def test_what_an_administrator_grants_is_left_and_needed(there: There) -> None:
    """Tasks without a warehouse, and tasks at all, are refused until it is granted."""
    granted = "EXECUTE TASK, EXECUTE MANAGED TASK ON ACCOUNT TO ROLE"
    assert there.left == tuple(f"GRANT {granted} {role}" for role in (INGEST, INFER))
    there.privileges.take(INFER, "EXECUTE MANAGED TASK", "ACCOUNT")
    there.privileges.take(INFER, "EXECUTE TASK", "ACCOUNT")
    with pytest.raises(ForbiddenError, match="setup --schedules"):
        there.schedules(INFER).make("infer", config_of(), cron=CRON)
    there.privileges.give(INFER, "EXECUTE MANAGED TASK", "ACCOUNT")
    with pytest.raises(ForbiddenError, match="EXECUTE TASK ON ACCOUNT"):
        there.schedules(INFER).make("infer", config_of(), cron=CRON)
    for role in (INGEST, INFER):
        there.privileges.give(role, "EXECUTE TASK", "ACCOUNT")
        there.privileges.give(role, "EXECUTE MANAGED TASK", "ACCOUNT")


def test_a_schedule_starts_a_job_where_files_came_and_only_there(
    there: There, tmp_path: Path, running: Peer
) -> None:
    """Suspended until it is resumed by name; its job waits, and names no case."""
    file, name = file_of(tmp_path, INFER), "LUNGREG_INFER_NEW"
    done = run("submit", "infer", "--schedule", CRON, "-c", file)
    assert done.code == 0, done
    assert done.out.splitlines()[0] == f"schedule {name}: suspended"
    put_something(there, tmp_path)
    assert there.clock() == []
    assert run("schedule", "resume", name, "-c", file).out == f"schedule {name}: started\n"
    (listed,) = run("schedule", "list", "--json", "-c", file).document
    assert listed == {
        "name": name,
        "state": "started",
        "cron": CRON,
        "waits_for": "files on SCHEDULED.UTILS.IMAGES",
    }
    there.service.submitted.clear()
    assert there.clock() == [name, f"{name}_JOB"]
    assert there.clock() == []  # nothing came since
    (job,) = there.service.submitted
    assert job["spec"]["ARGS"][-3:] == ["/mnt/job_stage/app/start.py", "infer", "--new"]
    assert (job["job"]["ASYNC"], job["pool"]) == (False, "LUNGREG_GPU")
    assert not running.said("Meier")


def put_something(there: There, tmp_path: Path) -> None:
    """As ingest does: a file, and then the directory of its stage."""
    source = SessionSource(there.settings("LUNGREG_SETUP"))
    stage = open_backend(source.settings).stage
    stage.write("scansExp/a_exp.nii.gz", b"scan")
    source.run("ALTER STAGE SCHEDULED.UTILS.IMAGES REFRESH")


def test_ingest_takes_what_others_bring(there: There, tmp_path: Path) -> None:
    """With the ingest of the configuration, which a job is not sent otherwise."""
    file, name = file_of(tmp_path, INGEST, source="incoming"), "LUNGREG_INGEST_NEW"
    assert run("submit", "ingest", "--schedule", CRON, "-c", file).code == 0
    stage = "@SCHEDULED.UTILS.JOBS/jobs/LUNGREG_INGEST_NEW/app/"
    with SessionSource(there.settings(INGEST)).use() as session:
        session.file.get(f"{stage}run.yaml", str(tmp_path))
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["ingest"] == {"source": "incoming"}
    incoming = open_backend(there.settings(INGEST)).incoming
    assert incoming is not None
    new = tmp_path / "b_exp.nii.gz"
    new.write_bytes(b"new")
    there.says(
        INGEST, f"PUT 'file://{new}' '@SCHEDULED.UTILS.INCOMING/scans' AUTO_COMPRESS = FALSE"
    )
    assert incoming.paths() == ["scans/b_exp.nii.gz"]
    incoming.fetch("scans/b_exp.nii.gz", tmp_path / "there" / "b")
    assert (tmp_path / "there" / "b").read_bytes() == b"new"
    # Nobody has refreshed the directory of the stage, and no account does so by itself.
    there.schedules(INGEST).resume(name)
    there.service.submitted.clear()
    assert there.clock() == [name, f"{name}_LOOK", f"{name}_JOB"]
    assert there.clock() == [name]
    (job,) = there.service.submitted
    assert job["spec"]["ARGS"][-2:] == ["/mnt/job_stage/app/start.py", "ingest"]
    assert run("submit", "ingest", "--schedule", CRON, "-c", file).code == 0
    assert there.clock() == []


def test_one_of_a_name_is_replaced_listed_by_its_owner_and_dropped(
    there: There, tmp_path: Path
) -> None:
    """The other role's is not seen; what a job was sent goes with its schedule."""
    schedules = there.schedules(INFER)
    assert isinstance(schedules, Scheduler)
    name = schedules.make("infer", config_of(), cron="USING CRON 0 3 * * 1-5 UTC")
    assert [(one.name, one.state, one.cron) for one in schedules.schedules()] == [
        (name, "suspended", "USING CRON 0 3 * * 1-5 UTC")
    ]
    schedules.resume(name)
    schedules.suspend(name.lower())
    schedules.drop(name)
    assert schedules.schedules() == []
    assert [one.name for one in there.schedules(INGEST).schedules()] == ["LUNGREG_INGEST_NEW"]
    assert there.says(INFER, "LIST @SCHEDULED.UTILS.JOBS/jobs/LUNGREG_INFER_NEW/") == []
    assert not any(
        "INFER" in one for one in (*there.account.tasks.tasks, *there.account.tasks.streams)
    )
    with pytest.raises(NotFoundError, match="LUNGREG_INGEST_NEW"):
        schedules.resume("NIGHTLY")


@pytest.mark.parametrize(
    ("command", "cron", "ingest", "says"),
    [
        ("infer", "0 2 * * * UTC", {}, "USING CRON"),
        ("infer", "USING CRON 0 2 * * * UTC' AS DROP TABLE X --", {}, "USING CRON"),
        ("ingest", CRON, {"source": "https://a.org/x.zip"}, "ingest.source: incoming"),
        ("ingest", CRON, {"source": "incoming", "pseudonymise": True}, "files of this machine"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(
    there: There, command: str, cron: str, ingest: dict[str, object], says: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=says):
        there.schedules(INGEST).make(command, config_of(**ingest), cron=cron)


def test_teardown_drops_schedules_with_their_schema(there: There, running: Peer) -> None:
    """And does not take their stage, table and tasks for somebody else's. The last test here.

    What another role has made is listed only because setup is granted that role.
    """
    provisioner = SnowflakeProvisioner(SessionSource(there.settings()))
    granted = {*running.roles.granted}
    running.roles.granted.clear()
    assert any("tasks: 0" in removal.holds for removal in provisioner.removals())
    running.roles.granted |= granted
    found = provisioner.removals()
    assert any("tasks: 3" in removal.holds for removal in found)
    assert not any("not lungreg's" in removal.holds for removal in found)
    provisioner.remove(found)
    assert there.account.tasks.tasks == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("submit", "ingest"), "give --schedule"),
        (("submit", "train", "--schedule", CRON), "ingest or infer"),
        (("submit", "infer", "--schedule", CRON, "--wait"), "nobody waits"),
        (("schedule", "list", "--set", "backend={kind: local}"), "kind: snowflake"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """With what to do instead."""
    done = run(*arguments, "-c", file_of(tmp_path, INFER))
    assert (done.code, says in done.err) == (1, True), done
