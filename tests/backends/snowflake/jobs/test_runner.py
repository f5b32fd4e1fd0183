"""Jobs, through the real client of ML Jobs, against the peer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.backends.snowflake.jobs.image import this_python
from lungreg.config import Config, load_config, parse_config
from lungreg.errors import (
    ConfigError,
    NotFoundError,
    ResourceError,
    RunError,
    StoreUnavailableError,
)
from lungreg.stores import JobRunner
from tests.backends.snowflake.jobs.service import IMAGE, JobService
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.statement import SqlError

SECRET_CASE = "patient_Meier_01"
JOB = "LUNGREG.UTILS.LUNGREG_TRAIN_20261122_101500_3FA9C1_8A2B"


def config_of(jobs: SnowflakeJobs) -> Config:
    """A configuration with what must not reach a statement."""
    backend = jobs.source.settings.model_dump(mode="json", exclude_unset=True)
    return parse_config(
        {
            "backend": backend,
            "ingest": {"source": "/home/someone/scans"},
            "infer": {"cases": [SECRET_CASE]},
            "train": {"epochs": 3},
        }
    )


def files_of(jobs: SnowflakeJobs, job: dict[str, object], folder: Path) -> Path:
    """What the job would see under its `app` folder."""
    settings = jobs.source.settings
    stage = f"@{settings.database}.{settings.utils_schema}.{settings.job_stage}"
    name = str(job["name"]).rpartition(".")[2].removesuffix("_")
    with jobs.source.use() as session:
        session.file.get(f"{stage}/jobs/{name}/app/", str(folder))
    return folder


def test_it_is_a_job_runner(jobs: SnowflakeJobs) -> None:
    """It keeps the Protocol."""
    assert isinstance(jobs, JobRunner)


def test_a_job_gets_this_installation_and_the_configuration(
    jobs: SnowflakeJobs, service: JobService, tmp_path: Path
) -> None:
    """The payload is complete, and its configuration is what was set, without this machine's."""
    job_id = jobs.submit(["train"], config_of(jobs), nodes=2)
    (job,) = service.submitted
    assert job_id == f"{job['name']}8A2B"
    assert job["pool"] == "LUNGREG_GPU"
    assert job["job"]["TARGET_INSTANCES"] == 2
    assert job["job"]["EXTERNAL_ACCESS_INTEGRATIONS"] == ["PYPI_EAI"]
    assert job["spec"]["ARGS"][-2:] == ["/mnt/job_stage/app/start.py", "train"]
    assert job["spec"]["ENV_VARS"]["LUNGREG_ANONYMOUS"] == "1"
    folder = files_of(jobs, job, tmp_path)
    names = {file.name for file in folder.iterdir()}
    (wheel,) = [name for name in names if name.endswith(".whl")]
    assert names == {"start.py", "start_check.py", "job.json", "needed.txt", "run.yaml", wheel}
    assert json.loads((folder / "job.json").read_text()) == {
        "wheel": wheel,
        "bundled": False,
        "python": None,
        "oldest_python": "3.11",
        "upgrades": [],
        "image": f"{IMAGE}:2.6.0-py{this_python().replace('.', '')}",
        "repositories": [],
    }
    sent = yaml.safe_load((folder / "run.yaml").read_text())
    assert "ingest" not in sent
    assert "connection" not in sent["backend"]
    assert sent["train"] == {"epochs": 3}
    assert load_config(folder / "run.yaml").infer.cases == [SECRET_CASE]


def test_no_statement_of_a_job_names_a_case(
    jobs: SnowflakeJobs, service: JobService, peer: Peer
) -> None:
    """Its name has the command and the time; two of one second do not share a payload."""
    for pool in ("other_pool", None):
        command = ["infer", "--resume", "infer-20261122-101500-3fa9c1"]
        jobs.submit(command, config_of(jobs), pool=pool)
    first, second = service.submitted
    database = jobs.source.settings.database
    named = rf"{database}\.UTILS\.LUNGREG_INFER_\d{{8}}_\d{{6}}_[0-9A-F]{{6}}_"
    assert re.fullmatch(named, first["name"])
    assert first["name"] != second["name"]
    assert [job["pool"] for job in (first, second)] == ["OTHER_POOL", "LUNGREG_GPU"]
    assert first["spec"]["ARGS"][-1] == "infer-20261122-101500-3fa9c1"
    said = [f"{item.text} {item.binds}" for item in peer.statements]
    assert any("EXECUTE_ML_JOB" in text for text in said)
    assert not any(SECRET_CASE in text or "/home/someone" in text for text in said)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["ingest"],
        ["infer", "--cases", SECRET_CASE],
        ["infer", "--resume", SECRET_CASE],
        ["train", "--set", "a=b"],
    ],
)
def test_arguments_that_could_name_a_case_are_refused(
    jobs: SnowflakeJobs, service: JobService, command: list[str]
) -> None:
    """They would be kept in the query history for a year; nothing is sent."""
    with pytest.raises(ConfigError) as caught:
        jobs.submit(command, config_of(jobs))
    assert SECRET_CASE not in caught.value.anonymous
    assert not service.submitted


def test_a_pool_is_a_name(jobs: SnowflakeJobs, service: JobService) -> None:
    """The client writes the pool into a statement: what is no name is refused."""
    with pytest.raises(ConfigError, match="compute pool"):
        jobs.submit(["train"], config_of(jobs), pool="P'); DROP TABLE X; --")


def test_more_nodes_than_the_pool_has_are_refused(jobs: SnowflakeJobs, service: JobService) -> None:
    """At once, rather than after hours of waiting for a node."""
    with pytest.raises(ResourceError, match="3 of 2"):
        jobs.submit(["train"], config_of(jobs), nodes=3)


def test_a_job_that_the_account_refuses_is_an_error(
    jobs: SnowflakeJobs, service: JobService, peer: Peer
) -> None:
    """A role that may not use the pool gets the reason."""

    def refuse(*_: object) -> None:
        raise SqlError(3001, "42501", "Insufficient privileges to operate on compute pool.")

    peer.on(r"SYSTEM\$EXECUTE_ML_JOB", refuse)
    with pytest.raises(StoreUnavailableError, match="role"):
        jobs.submit(["train"], config_of(jobs))


def test_a_log_is_followed_to_its_end(jobs: SnowflakeJobs, service: JobService) -> None:
    """Each line comes once: neither by halves, nor again when the log has lost its front."""
    service.statuses = ["PENDING", "RUNNING", "RUNNING", "RUNNING", "DONE"]
    service.logs = [
        "",
        "a\nb\nhal",
        "a\nb\nhalf\nc\n",
        "half\nc\nd\n",
        "c\nd\nlungreg: exit code 0",
    ]
    assert list(jobs.follow(JOB)) == ["a", "b", "half", "c", "d", "lungreg: exit code 0"]
    assert jobs.status(JOB) == "done"


@pytest.mark.parametrize(
    ("status", "ours", "exit_code"),
    [
        ("DONE", "done", 3),
        ("FAILED", "failed", 2),
        ("INTERNAL_ERROR", "failed", 1),
        ("CANCELLED", "cancelled", 1),
        ("DELETED", "failed", 1),
    ],
)
def test_every_final_status_ends_the_wait(
    jobs: SnowflakeJobs, service: JobService, status: str, ours: str, exit_code: int
) -> None:
    """None of them is waited on for ever, and the exit code is that of the command."""
    service.statuses = ["RUNNING", status]
    ends = {"DONE": "lungreg: exit code 3", "FAILED": "lungreg: exit code 2\nthe launcher's words"}
    service.logs = ["infer 1/2", "infer 1/2\ninfer 2/2\n" + ends.get(status, "")]
    assert list(jobs.follow(JOB))[0:2] == ["infer 1/2", "infer 2/2"]
    assert jobs.status(JOB) == ours
    assert jobs.exit_code(JOB) == exit_code


def test_a_done_job_without_exit_code_is_no_success(
    jobs: SnowflakeJobs, service: JobService
) -> None:
    """Failed cases end a job as DONE too: without its word, nobody claims that all went well."""
    service.statuses, service.logs = ["DONE"], ["infer 1/2"]
    with pytest.raises(RunError, match="the command's exit code, got none"):
        jobs.exit_code(JOB)


def test_a_done_job_whose_log_is_gone_is_no_error(
    jobs: SnowflakeJobs, service: JobService, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are kept for a while only: the status says that the run came to its end."""
    service.statuses, service.has_log = ["DONE"], False
    assert jobs.exit_code(JOB) == 0
    assert "its log is gone" in caplog.text


def test_a_job_that_wrote_no_log_ends_like_others(jobs: SnowflakeJobs, service: JobService) -> None:
    """An image that could not be pulled, say: the client has no log to give and says so oddly."""
    service.statuses, service.has_log = ["FAILED"], False
    assert list(jobs.follow(JOB)) == []
    assert (jobs.status(JOB), jobs.exit_code(JOB)) == ("failed", 1)


def test_a_job_of_somebody_else_is_an_error(
    jobs: SnowflakeJobs, service: JobService, peer: Peer
) -> None:
    """What the client raises of its own kinds is said in our words."""
    service.statuses = ["RUNNING"]
    peer.mischief.deny("spcs_cancel_job")
    with pytest.raises(StoreUnavailableError, match="lets this user and role"):
        jobs.cancel(JOB)
    service.exists = False
    with pytest.raises(NotFoundError, match="a job of this id"):
        jobs.status(JOB)


def test_a_broken_connection_does_not_end_the_wait(
    jobs: SnowflakeJobs, service: JobService, peer: Peer
) -> None:
    """Following goes on in a new session, and no line comes twice."""
    service.statuses = ["RUNNING", "RUNNING", "DONE"]
    service.logs = ["a\nb\n", "a\nb\nc\n", "a\nb\nc\nd"]
    lines = []
    for line in jobs.follow(JOB):
        if line == "a":
            peer.expire_tokens()
        lines.append(line)
    assert lines == ["a", "b", "c", "d"]
    assert len({item.text for item in peer.said("DESCRIBE SERVICE")}) == 1


def test_a_job_is_cancelled_once(jobs: SnowflakeJobs, service: JobService) -> None:
    """A job that has ended stays as it is."""
    service.statuses = ["RUNNING"]
    jobs.cancel(JOB)
    jobs.cancel(JOB)
    assert len(service.cancelled) == 1
    assert jobs.status(JOB) == "cancelled"


def test_what_an_ended_job_was_sent_is_removed(jobs: SnowflakeJobs, service: JobService) -> None:
    """A job that runs keeps its files, and so does its neighbour, whose name begins alike."""
    first, second = (jobs.submit(["train"], config_of(jobs)) for _ in range(2))

    def folders() -> set[str]:
        settings = jobs.source.settings
        stage = f"@{settings.database}.{settings.utils_schema}.{settings.job_stage}/jobs/"
        with jobs.source.use() as session:
            return {row.name.split("/")[2] for row in session.file.list(stage)}

    service.statuses = ["RUNNING"]
    jobs.tidy(first)
    assert len(folders()) == 2
    service.statuses = ["FAILED"]
    jobs.tidy(first)
    assert len(folders()) == 1
    assert second.rpartition(".")[2].startswith(folders().pop())


@pytest.mark.parametrize("job_id", ["JOB", "A.B.C'; DROP", "A.B.C!x", ""])
def test_an_id_is_a_full_name(jobs: SnowflakeJobs, service: JobService, job_id: str) -> None:
    """The client writes it into statements: what is no name never reaches it."""
    with pytest.raises(NotFoundError):
        jobs.status(job_id)
