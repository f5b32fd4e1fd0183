"""Each step of the tutorial in the role of its step, in an account with the grants of setup."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest

from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.config import SnowflakeBackend
from lungreg.distributed import cluster
from lungreg.distributed.capacity import Capacity
from lungreg.errors import ForbiddenError
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.experiments import Experiments
from tests.backends.snowflake.peer.models import Models
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account
from tests.backends.snowflake.story import MODEL, site, there_settings
from tests.site import Outcome, Site, destroy_started

INGEST, TRAIN, INFER, READ = (f"LUNGREG_{step}" for step in ("INGEST", "TRAIN", "INFER", "READ"))
DATABASE = "ROLES"


@dataclass
class There:
    """An account with privileges, and a person's folder."""

    site: Site
    privileges: Privileges
    said: dict[str, Outcome] = field(default_factory=dict)
    """The output of the steps that others need."""

    def does(self, role: str, *arguments: str) -> Outcome:
        """Run a command in a role, as the tutorial shows."""
        self.privileges.refused.clear()
        return self.site.run(*arguments, "--set", f"backend.role={role}")

    def is_refused(self, role: str, *arguments: str) -> bool:
        """Whether a command fails for want of a privilege, with the mend."""
        done = self.does(role, *arguments)
        said = " ".join(done.err.split())
        return done.code == 1 and "take the role of this step" in said

    @property
    def run(self) -> str:
        run_id: str = self.said["infer"].document["run_id"]
        return run_id


@pytest.fixture(scope="module")
def there(running: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    """Set up, filled, trained and inferred, each in its role; nothing was refused."""
    backend = {**there_settings(), "database": DATABASE, "integrations": []}
    backend["egress"] = {"hosts": ["pypi.org:443"]}
    running.forget()
    pause = time.sleep
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "sleep", lambda seconds: pause(min(seconds, 0.2)))
            Account(running)
            Models(running)
            Experiments(running)
            JobService(running).statuses = ["DONE"]
            BatchService(running, compiles=False)
            folder = tmp_path_factory.mktemp("roles") / "there"
            account = There(site(folder, backend), Privileges(running))
            steps = {
                "setup": ("LUNGREG_SETUP", "setup", "--execute"),
                "ingest": (INGEST, "ingest"),
                "train": (TRAIN, "train"),
                "infer": (INFER, "infer", "--json"),
            }
            for step, arguments in steps.items():
                account.said[step] = account.does(*arguments)
                assert account.privileges.refused == [], step
                assert account.said[step].code == 0, account.said[step]
            yield account
    finally:
        destroy_started()
        close_all()
        running.forget()


def test_ingest(there: There) -> None:
    """Who ingests writes scans; who reads sees none, who trains or infers changes none."""
    assert "4" in there.said["ingest"].out
    again = there.does(INGEST, "ingest")
    assert (again.code, there.privileges.refused) == (0, [])
    for role in (TRAIN, INFER, READ):
        stage = SnowflakeStage(SessionSource(settings_of(there, role)))
        with pytest.raises(ForbiddenError):
            stage.write("scansExp/mine.nii.gz", b"x")


def test_train(there: There) -> None:
    """Who trains makes a model and its curves; nobody else does."""
    listed = there.does(TRAIN, "models", "list", "--json")
    assert [each["version"] for each in listed.document] == ["1"]
    for role in (INGEST, INFER, READ):
        assert there.is_refused(role, "train"), role


def test_a_role_that_cannot_store_a_model_does_not_train(there: There, running: Peer) -> None:
    """What the end needs is tried first: no run is made, and the error names the mend."""
    schema = f"{DATABASE}.UTILS"
    there.privileges.take(TRAIN, "CREATE STAGE", schema)
    asked = len(running.said("^PUT"))
    try:
        assert there.is_refused(TRAIN, "train")
    finally:
        there.privileges.give(TRAIN, "CREATE STAGE", schema)
    assert len(running.said("^PUT")) == asked


def test_promote(there: There) -> None:
    """The model is its maker's: who infers reads it, and moves no alias."""
    done = there.does(TRAIN, "models", "promote", MODEL, "1", "--alias", "approved")
    assert (done.code, there.privileges.refused) == (0, [])
    assert there.is_refused(INFER, "models", "promote", MODEL, "1", "--alias", "mine")


@pytest.mark.parametrize(("role", "step"), [(TRAIN, "train"), (INFER, "infer")])
def test_submit(role: str, step: str, there: There) -> None:
    """A job starts in the role of its step, with the integration that setup made."""
    done = there.does(role, "submit", step, "--wait")
    assert there.privileges.refused == []
    assert "job " in done.out
    for other in (INGEST, READ):
        assert there.is_refused(other, "submit", step), other


def test_infer(there: There) -> None:
    """With Ray and as a batch job: rows, files and pages; no other role writes results."""
    assert len(there.said["infer"].document["run_id"]) > 10
    batch = there.does(INFER, "infer", "--engine", "run-batch")
    assert batch.code == 1  # until an administrator has granted what setup cannot
    assert "what the first lines of '" in " ".join(batch.err.split())
    there.privileges.give(INFER, "BIND SERVICE ENDPOINT", "ACCOUNT")
    batch = there.does(INFER, "infer", "--engine", "run-batch", "--json")
    assert (batch.code, there.privileges.refused) == (0, []), batch
    assert there.is_refused(TRAIN, "infer")
    assert there.is_refused(READ, "infer")
    assert there.does(INGEST, "infer").code == 1  # it is shown no model


def test_results(there: There) -> None:
    """Who reads or infers sees rows; who trains sees none, though its runs lie beside them."""
    sql = "SELECT case_id, model_version FROM results"
    for role in (READ, INFER):
        found = there.does(role, "results", "--json", "--sql", sql)
        assert (found.code, there.privileges.refused) == (0, []), role
    for role in (INGEST, TRAIN):
        assert there.is_refused(role, "results", "--sql", sql), role


def test_report(there: There) -> None:
    """Who reads copies the pages here; to write them on the stage takes who infers."""
    here = str(there.site.folder / "pages")
    copied = there.does(READ, "report", there.run, "-o", here)
    assert (copied.code, there.privileges.refused) == (0, []), copied
    written = there.does(INFER, "report", there.run)
    assert (written.code, there.privileges.refused) == (0, []), written
    assert there.is_refused(READ, "report", there.run)
    assert there.is_refused(INGEST, "report", there.run, "-o", here)


def test_cost(there: There) -> None:
    """Who trains asks what a training run cost; of an infer run, who infers or reads."""
    trained = train_run(there)
    for role, run_id in ((TRAIN, trained), (INFER, there.run), (READ, there.run)):
        done = there.does(role, "cost", run_id)
        assert (done.code, there.privileges.refused) == (0, []), (role, done)
    assert there.is_refused(TRAIN, "cost", there.run)
    assert there.is_refused(INGEST, "cost", trained)


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no cluster: that check asks no account, and takes long."""
    monkeypatch.setattr(
        cluster, "cluster", lambda: nullcontext(Capacity(cpus=2, gpus=0, memory_bytes=8 * 10**9))
    )


@pytest.mark.parametrize(
    ("role", "stage", "seen", "fit"),
    [
        (INGEST, "ok", "IMAGES; LUNGREG_INGEST sees no JOBS, RUNS", "ingest"),
        (TRAIN, "ok", "IMAGES, JOBS, RUNS", "train, submit train, models"),
        (INFER, "ok", "IMAGES, JOBS, RUNS", "infer, submit infer, report, results"),
        (READ, "warn", "RUNS; LUNGREG_READ sees no IMAGES, JOBS", "results, report"),
    ],
)
def test_doctor(
    role: str, stage: str, seen: str, fit: str, there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No role of a step fails, and each sees what it is for."""
    without_ray(monkeypatch)
    done = there.does(role, "doctor", "--json")
    checks = {check["name"]: check for check in done.document}
    assert [name for name, check in checks.items() if check["state"] == "fail"] == []
    assert done.code == 0
    assert (checks["stages"]["found"], checks["stages"]["mend"]) == (seen, f"fit for {fit}")
    assert checks["stage"]["state"] == stage
    assert {"session", "disk"} <= set(checks)
    assert ("not writable" in checks["stage"]["found"]) == (role in (TRAIN, INFER))


def test_doctor_fails_for_a_role_of_nobody(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that sees no stage at all is referred to setup and to the roles of the steps."""
    without_ray(monkeypatch)
    done = there.does("PUBLIC", "doctor", "--json")
    checks = {check["name"]: check for check in done.document}
    assert (done.code, checks["stages"]["state"]) == (1, "fail")
    assert "take the role of the step" in checks["stages"]["mend"]


def settings_of(there: There, role: str) -> SnowflakeBackend:
    backend = there.site.config(f"backend.role={role}").backend
    assert isinstance(backend, SnowflakeBackend)
    return backend


def train_run(there: There) -> str:
    """The id of the training run, from its output."""
    found = re.search(r"train-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", there.said["train"].out)
    assert found is not None
    return found[0]
