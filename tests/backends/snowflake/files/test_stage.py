"""The stage on Snowflake, under the contract and in what only it can do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import DataError, StoreUnavailableError
from lungreg.stores import Stage
from tests.backends.snowflake.files.conftest import names_on
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.dialect import IS_FILES
from tests.contracts.stage import StageContract

"""What another process does, while this one reads the same files."""


class TestSnowflakeStage(StageContract):
    """Two internal stages keep the contract."""

    on_this_disk = False
    rounds = 4

    @pytest.fixture
    def stage(self, source: SessionSource, peer: Peer) -> Stage:
        self.peer = peer
        return SnowflakeStage(source)

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return names_on(self.peer, stage.source)


def everything(stage: SnowflakeStage, tmp_path: Path) -> list[Callable[[], object]]:
    """Each method once, with what it would change."""
    (tmp_path / "source").write_bytes(b"x")
    return [
        lambda: stage.read("runs/file"),
        lambda: stage.size("runs/file"),
        lambda: stage.exists("runs/file"),
        stage.list,
        lambda: stage.list("runs"),
        lambda: stage.download("runs/file", tmp_path / "down"),
        lambda: stage.write("runs/file", b"new"),
        lambda: stage.upload(tmp_path / "source", "runs/file"),
        lambda: stage.delete("runs/file"),
    ]


def refusal(call: Callable[[], object]) -> StoreUnavailableError | None:
    """How a call was refused, if it was."""
    try:
        call()
    except StoreUnavailableError as error:
        return error
    return None


def test_runs_and_scans_lie_on_stages_of_their_own(stage: SnowflakeStage, peer: Peer) -> None:
    """What a run makes and what came from patients can be granted apart; listed as one."""
    stage.write("runs/r/a b", b"1")
    stage.write("scansExp/c", b"22")
    database = stage.source.settings.database
    assert stage.uri("runs/r/a b") == f"@{database}.RESULTS.RUNS/runs/r/a=20b"
    assert stage.uri("scansExp/c") == f"@{database}.UTILS.IMAGES/scansExp/c"
    root = peer.stages.root / database
    assert (root / "RESULTS/RUNS/runs/r/a=20b").read_bytes() == b"1"
    assert (root / "UTILS/IMAGES/scansExp/c").read_bytes() == b"22"
    assert [info.name for info in stage.list()] == ["runs/r/a b", "scansExp/c"]
    assert [info.name for info in stage.list("runs")] == ["runs/r/a b"]


def test_tokens_may_expire_in_mid_run(stage: SnowflakeStage, peer: Peer, tmp_path: Path) -> None:
    """Every method logs in again when the account asks for it."""
    stage.write("runs/file", b"x")
    for call in everything(stage, tmp_path):
        peer.expire_tokens()
        call()
    assert len(peer.logins) >= len(everything(stage, tmp_path))


def test_a_missing_stage_is_unavailable(stage: SnowflakeStage, tmp_path: Path) -> None:
    """Without the stage every method says so and names the command that makes it."""
    settings = stage.source.settings.model_copy(update={"run_stage": "NOWHERE"})
    for call in everything(SnowflakeStage(SessionSource(settings)), tmp_path):
        with pytest.raises(StoreUnavailableError, match="lungreg setup"):
            call()


@pytest.mark.parametrize("verbs", ["^(PUT|REMOVE)", "^(LIST|GET)"])
def test_a_missing_privilege_is_unavailable(
    stage: SnowflakeStage, peer: Peer, tmp_path: Path, verbs: str
) -> None:
    """A role that may only read, or only write, gets the reason and changes nothing."""
    stage.write("runs/file", b"old")
    peer.mischief.deny(verbs)
    refused = [error for call in everything(stage, tmp_path) if (error := refusal(call))]
    peer.mischief.allow()
    assert len(refused) >= 3
    assert all("lets this user and role" in error.anonymous for error in refused)
    if verbs.startswith("^(PUT"):
        assert stage.read("runs/file") == b"old"
        assert names_on(peer, stage.source) == {"runs/file"}


def test_only_file_statements_name_files(stage: SnowflakeStage, peer: Peer) -> None:
    """A name may be a patient's: neither SQL nor binds hold it, nor the query tag."""
    stage.write("runs/r/DoeJohn", b"x")
    stage.delete("runs/r/DoeJohn")
    others = [said for said in peer.statements if not IS_FILES.match(said.text)]
    assert others
    assert not [said for said in others if "DoeJohn" in f"{said.text}{said.binds}{said.tag}"]


def test_names_spelled_otherwise_are_not_listed(stage: SnowflakeStage, peer: Peer) -> None:
    """A file put there by other means under a name that is never written so is passed over."""
    stage.write("folder/file", b"x")
    images = peer.stages.root / stage.source.settings.database / "UTILS" / "IMAGES"
    (images / "folder" / "with space").write_bytes(b"x")
    (images / "folder" / "low=2ecase").write_bytes(b"x")
    assert [info.name for info in stage.list()] == ["folder/file"]


def test_a_name_too_long_when_spelled_is_refused(stage: SnowflakeStage) -> None:
    """A part that legal signs make too long for the client's disk is refused beforehand."""
    with pytest.raises(DataError, match="as a Snowflake stage spells it"):
        stage.write("%" * 100, b"x")
