"""What runs on a real account: `LUNGREG_SNOWFLAKE_CONNECTION` names a connection to one.

It needs a warehouse and the privilege to create databases; each test makes its own and drops it.
Batch inference needs a compute pool, `LUNGREG_SNOWFLAKE_POOL`; setup a role that may make all that
it makes, `LUNGREG_SNOWFLAKE_SETUP_ROLE`. Without these their tests are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lungreg.backends.snowflake import open_snowflake
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.examiner import SnowflakeExaminer
from lungreg.backends.snowflake.files.lock import StageLock
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.models import SnowflakeModelRegistry
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.config import SnowflakeBackend
from lungreg.errors import RunError
from lungreg.records import ModelCard, Status
from lungreg.stores import ModelRegistry, Stage
from tests.backends.snowflake.batch.cohort import figures, fill, run
from tests.contracts.models import ModelRegistryContract
from tests.contracts.stage import StageContract

pytestmark = pytest.mark.snowflake


def wanted(variable: str, why: str) -> str:
    """A variable of the environment, without which a test is skipped."""
    if variable not in os.environ:
        pytest.skip(f"{variable} names no {why}")
    return os.environ[variable]


class TestAccountStage(StageContract):
    """Two internal stages of an account keep the contract."""

    on_this_disk = False
    rounds = 6

    @pytest.fixture
    def stage(self, account: SessionSource) -> Stage:
        return SnowflakeStage(account)

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return {info.name for info in stage.list()}


def test_the_lock_is_had_once(account: SessionSource) -> None:
    """The times that the account lists are understood, and a second process is refused."""
    lock = StageLock(SnowflakeStage(account), "runs/r/batch/lock-", lease_s=60, patience_s=1)
    refusal = RunError("one process at a time")
    with lock.acquired(refusal), pytest.raises(RunError), lock.acquired(refusal):
        pass
    assert lock.stage.list() == []


class TestAccountModels(ModelRegistryContract):
    """Versions in the Model Registry of an account keep the contract."""

    many = 2
    raced, processes = 1, 2

    @pytest.fixture
    def registry(self, account: SessionSource) -> ModelRegistry:
        return SnowflakeModelRegistry(account)

    def damage_weights(self, registry: ModelRegistry, card: ModelCard) -> None:
        pytest.skip("nothing changes the files of a version in an account")


def test_the_account_is_fine(account: SessionSource) -> None:
    """Session and stages, as `lungreg doctor` finds them."""
    assert {check.name: check.state for check in SnowflakeExaminer(account).examine()} == {
        "session": "ok",
        "stages": "ok",
    }


@pytest.mark.timeout(3600)
def test_batch_inference_gives_what_this_machine_gives(account: SessionSource) -> None:
    """Rows and files of a job, whose image is built first, beside those of a run from here."""
    pool = wanted("LUNGREG_SNOWFLAKE_POOL", "compute pool")
    raw = account.settings.model_dump(exclude_unset=True)
    raw |= {"compute_pool": {"name": pool}, "batch": {"gpus": 0}}
    backend = open_snowflake(SnowflakeBackend.model_validate(raw))
    fill(backend)
    there, here = run(backend, "run-batch"), run(backend, "ray")
    assert {row.status for row in there.results} == {Status.SUCCESS}
    for mine, other in zip(here.results, there.results, strict=True):
        assert figures(other) == pytest.approx(figures(mine), rel=1e-4, abs=1e-4)
    assert [info for info in backend.stage.list("runs") if "/batch/" in info.name] == []


def test_setup_twice_then_teardown(account: SessionSource) -> None:
    """All that setup makes in an account, made once, found again, and gone afterwards."""
    role = wanted("LUNGREG_SNOWFLAKE_SETUP_ROLE", "role")
    prefix = account.settings.database + "_"
    names = ("setup", "ingest", "train", "infer", "read")
    settings = SnowflakeBackend.model_validate(
        {
            "kind": "snowflake",
            "connection": account.settings.connection,
            "database": f"{prefix}DB",
            "warehouse": f"{prefix}WH",
            "compute_pool": {"name": f"{prefix}POOL"},
            "roles": {**{name: f"{prefix}{name.upper()}" for name in names}, "setup": role},
            "egress": {"hosts": ["pypi.org:443"], "name": f"{prefix}EGRESS"},
        }
    )
    provisioner = SnowflakeProvisioner(SessionSource(settings))
    try:
        provisioner.make()
        provisioner.make()
        found = provisioner.removals()
        assert {removal.kind for removal in found if not removal.kept} == {
            *("compute pool", "integration", "role", "warehouse", "database")
        }
    finally:
        provisioner.remove([removal for removal in provisioner.removals() if removal.statements])
    assert provisioner.removals() == []
