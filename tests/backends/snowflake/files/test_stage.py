"""The stage on Snowflake, under the contract and in what only it can do."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files import transfers
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.files.stage_names import unspelled
from lungreg.errors import DataError, NotFoundError, StoreUnavailableError
from lungreg.stores import Stage
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.dialect import IS_FILES
from tests.contracts.processes import start_python
from tests.contracts.stage import StageContract

_WRONG_READS = """
stage, names = given
stage.exists("anything")
print("ready", flush=True)
print([name for _ in range(4) for name in names if stage.read(name) != name.encode()])
"""
"""What another process does, while this one reads the same files."""


def names_on(peer: Peer, source: SessionSource) -> set[str]:
    """Names of all files that really lie on the two stages."""
    root = peer.stages.root / source.settings.database
    files = [file.relative_to(root).parts for file in root.rglob("*") if file.is_file()]
    return {unspelled("/".join(parts[2:])) or "/".join(parts) for parts in files}


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


@pytest.fixture
def stage(source: SessionSource) -> SnowflakeStage:
    """An empty stage."""
    return SnowflakeStage(source)


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


def test_equal_base_names_are_not_mixed_up(stage: SnowflakeStage, tmp_path: Path) -> None:
    """Scan and mask of a case share a base name: readers at once get each the right one."""
    names = [f"{folder}/case_1.nii.gz" for folder in ("scansExp", "scansInsp", "lungMasksExp")]
    for name in names:
        stage.write(name, name.encode())

    def read(number: int) -> bool:
        name = names[number % len(names)]
        path = tmp_path / str(number) / "case_1.nii.gz"
        stage.download(name, path)
        return stage.read(name) == path.read_bytes() == name.encode()

    with start_python(_WRONG_READS, (stage, names)) as process:
        process.stdout.readline()
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(12)))
        assert process.stdout.read() == b"[]\n"


def test_a_name_is_no_prefix(stage: SnowflakeStage) -> None:
    """GET and REMOVE take prefixes: what begins alike, or ends alike below it, stays apart."""
    names = ["case_1", "case_10", "case_1.nii", "case_1x/case_1", "a.b", "aXb", "a.bc"]
    for name in names:
        stage.write(name, name.encode())
    assert [stage.read(name) for name in names] == [name.encode() for name in names]
    for name in ("case_1", "a.b"):
        stage.delete(name)
        names.remove(name)
    assert [info.name for info in stage.list()] == sorted(names)


def test_an_upload_that_breaks_off_is_done_again(stage: SnowflakeStage, peer: Peer) -> None:
    """A connection lost in mid-upload leaves the old file until the new one is complete."""
    stage.write("file", b"old")
    peer.mischief.drop_uploads(1)
    stage.write("file", b"new" * 50_000)
    assert peer.mischief.happened == 1
    assert stage.read("file") == b"new" * 50_000
    assert names_on(peer, stage.source) == {"file"}


def test_an_upload_that_never_arrives_changes_nothing(
    stage: SnowflakeStage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the account is given up the old file is what it was, and nothing lies beside it."""
    monkeypatch.setattr("lungreg.backends.snowflake.connection.session._PAUSES_S", (0.1,))
    stage = SnowflakeStage(SessionSource(stage.source.settings.model_copy(update={"timeout_s": 1})))
    stage.write("file", b"old")
    peer.mischief.drop("^PUT", times=1000)
    with pytest.raises(StoreUnavailableError, match="account must answer") as caught:
        stage.write("file", b"new")
    assert "file" not in caught.value.anonymous
    assert names_on(peer, stage.source) == {"file"}
    peer.forget()
    assert stage.read("file") == b"old"


def test_a_download_that_breaks_off_is_done_again(stage: SnowflakeStage, peer: Peer) -> None:
    """A connection lost in mid-download is no file of half its size."""
    stage.write("file", b"x" * 100_000)
    peer.mischief.drop_downloads(1)
    assert stage.read("file") == b"x" * 100_000
    assert peer.mischief.happened == 1


def test_a_changed_byte_is_noticed(stage: SnowflakeStage, peer: Peer) -> None:
    """What arrives is compared with what was sent, both ways, and sent again."""
    peer.mischief.spoil_files(1)
    stage.write("file", b"content")
    peer.mischief.spoil_files(1)
    assert stage.read("file") == b"content"
    assert peer.mischief.happened == 2


def test_checksums_of_encrypted_bytes_are_no_fault(stage: SnowflakeStage, peer: Peer) -> None:
    """A stage that encrypts in the client tells other checksums: bytes are compared instead."""
    peer.stages.is_encrypted_by_client = True
    stage.write("file", b"x")
    assert stage.read("file") == b"x"


@pytest.mark.parametrize("part_bytes", [100, 70])
def test_a_changed_byte_in_parts_is_noticed(
    stage: SnowflakeStage, peer: Peer, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    """Large files: the checksum of their parts' checksums, or the bytes, are compared."""
    monkeypatch.setattr("lungreg.backends.snowflake.files.checksums._PART_SIZES", (100,))
    peer.stages.part_bytes = part_bytes
    peer.mischief.spoil_files(1)
    stage.write("file", bytes(250))
    peer.mischief.spoil_files(1)
    assert stage.read("file") == bytes(250)
    assert peer.mischief.happened == 2


def test_a_file_sent_in_known_parts_travels_once(
    stage: SnowflakeStage, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the listing tells enough, nothing is downloaded to compare it."""
    monkeypatch.setattr("lungreg.backends.snowflake.files.checksums._PART_SIZES", (70, 100))
    peer.stages.part_bytes = 100
    stage.write("file", bytes(250))
    stage.read("file")
    assert len(peer.said("^GET")) == 1


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
    """A role that may only read, or only write, is told so and changes nothing."""
    stage.write("runs/file", b"old")
    peer.mischief.deny(verbs)
    refused = [error for call in everything(stage, tmp_path) if (error := refusal(call))]
    peer.mischief.allow()
    assert len(refused) >= 3
    assert all("lets this user and role" in error.anonymous for error in refused)
    if verbs.startswith("^(PUT"):
        assert stage.read("runs/file") == b"old"
        assert names_on(peer, stage.source) == {"runs/file"}


def test_temporary_files_are_private_and_gone(
    stage: SnowflakeStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patient's file passes through a folder that only this user can read, and none stays."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    modes = set()
    fetch = transfers.get

    def watched(session: Any, place: str, path: str, folder: Path) -> Path | None:
        modes.add(folder.stat().st_mode & 0o777)
        return fetch(session, place, path, folder)

    monkeypatch.setattr(transfers, "get", watched)
    (tmp_path / "source").write_bytes(b"x")
    stage.upload(tmp_path / "source", "file")
    stage.write("other", b"y")
    stage.read("file")
    stage.download("file", tmp_path / "there" / "down")
    with pytest.raises(NotFoundError):
        stage.read("missing")
    assert modes == {0o700}
    assert [*(tmp_path / "temporary").iterdir()] == []
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["down"]


def test_only_file_statements_name_files(stage: SnowflakeStage, peer: Peer) -> None:
    """A name may tell of a patient: neither SQL nor binds hold it, nor the query tag."""
    stage.write("runs/r/DoeJohn", b"x")
    stage.delete("runs/r/DoeJohn")
    others = [said for said in peer.statements if not IS_FILES.match(said.text)]
    assert others
    assert not [said for said in others if "DoeJohn" in f"{said.text}{said.binds}{said.tag}"]


def test_clients_warnings_name_no_files(
    stage: SnowflakeStage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """Snowflake's client warns with the URL of a transfer that failed: it is kept quiet."""
    caplog.set_level(logging.INFO)
    peer.mischief.drop_uploads(1)
    stage.write("scansExp/DoeJohn", b"x")
    assert peer.mischief.happened == 1
    assert "DoeJohn" not in caplog.text


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
