"""Uploads and downloads: the right file, whole, and compared on arrival."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import StoreUnavailableError
from tests.backends.snowflake.files.conftest import names_on
from tests.backends.snowflake.peer import Peer
from tests.contracts.processes import start_python

LARGE = bytes(11 << 20)
"""More than one part of each size that senders use."""
_WRONG_READS = """
stage, names = given
stage.exists("anything")
print("ready", flush=True)
print([name for _ in range(4) for name in names if stage.read(name) != name.encode()])
"""


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
    monkeypatch.setattr("lungreg.backends.snowflake.connection.session.PAUSES_S", (0.1,))
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
    """A stage that encrypts in the client lists other checksums: bytes are compared instead."""
    peer.stages.is_encrypted_by_client = True
    stage.write("file", b"x")
    assert stage.read("file") == b"x"


@pytest.mark.parametrize("part_megabytes", [8, 7])
def test_a_changed_byte_in_parts_is_noticed(
    stage: SnowflakeStage, peer: Peer, part_megabytes: int
) -> None:
    """Large files: the checksum of their parts' checksums, or the bytes, are compared."""
    peer.stages.part_bytes = part_megabytes << 20
    peer.mischief.spoil_files(1)
    stage.write("file", LARGE)
    peer.mischief.spoil_files(1)
    assert stage.read("file") == LARGE
    assert peer.mischief.happened == 2


def test_a_file_sent_in_known_parts_travels_once(stage: SnowflakeStage, peer: Peer) -> None:
    """Where the listed checksum can be compared, nothing is downloaded for that."""
    peer.stages.part_bytes = 5 << 20
    stage.write("file", LARGE)
    stage.read("file")
    assert len(peer.said("^GET")) == 1


def test_clients_warnings_name_no_files(
    stage: SnowflakeStage, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """Snowflake's client warns with the URL of a transfer that failed: it is kept quiet."""
    caplog.set_level(logging.INFO)
    peer.mischief.drop_uploads(1)
    stage.write("scansExp/DoeJohn", b"x")
    assert peer.mischief.happened == 1
    assert "DoeJohn" not in caplog.text
