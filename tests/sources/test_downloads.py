"""Downloads that break off, change, lack or hide what was asked for."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from pathlib import Path

import numpy as np
import pytest

from lungreg.errors import ConfigError, DataError, MissingFileError, UnreadableFileError
from lungreg.sources import list_cases, open_source
from lungreg.sources.downloads import ResumingDownloader, fetch_url
from tests.sources.made_sources import ingest, make_zip, outcome
from tests.web_server import Server


@pytest.mark.usefixtures("no_waiting")
def test_a_download_goes_on_where_it_broke_off(tmp_path: Path, server: Server) -> None:
    """Several breaks, each followed by a request for the rest alone, in chunks of 65536."""
    data = np.random.default_rng(0).bytes(300_000)
    server.files["/a.zip"] = make_zip(tmp_path / "a.zip", {"a": data}).read_bytes()
    server.breaks = [100_000, 140_000]
    digest = hashlib.sha256(server.files["/a.zip"]).hexdigest()
    settings = ingest(f"{server.url}/a.zip", checksum=f"sha256:{digest}")
    with open_source(settings, tmp_path / "cache") as folder:
        assert (folder / "a").read_bytes() == data
    starts = [wanted for _, wanted in server.requests]
    assert starts == [None, "bytes=65536-", "bytes=196608-"]


@pytest.mark.usefixtures("no_waiting")
def test_the_next_run_goes_on_where_the_last_gave_up(tmp_path: Path, server: Server) -> None:
    """The part stays in the cache."""
    data = make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(0).bytes(90_000)}).read_bytes()
    server.files["/a.zip"] = data
    server.breaks = [70_000, 0, 0, 0, 0, 0]
    settings = ingest(f"{server.url}/a.zip")
    with pytest.raises(UnreadableFileError, match="run again: it goes on where it stopped"):
        outcome(settings, tmp_path / "cache")
    server.breaks = []
    assert outcome(settings, tmp_path / "cache") == ["a"]
    assert server.requests[-1][1] == "bytes=65536-"


@pytest.mark.usefixtures("no_waiting")
def test_a_part_of_another_version_is_not_continued(tmp_path: Path, server: Server) -> None:
    """The file on the server changed in between: it is taken from its beginning."""
    old, new = (
        make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(i).bytes(90_000)}).read_bytes()
        for i in range(2)
    )
    downloader = ResumingDownloader(tmp_path)
    server.files["/a.zip"] = old
    server.breaks = [70_000, 0, 0, 0, 0, 0]
    with pytest.raises(UnreadableFileError):
        downloader(f"{server.url}/a.zip", str(tmp_path / "out"), None)
    server.files["/a.zip"] = new
    server.breaks = []
    downloader(f"{server.url}/a.zip", str(tmp_path / "out"), None)
    assert server.requests[-1][1] == "bytes=65536-"
    assert (tmp_path / "out").read_bytes() == new


@pytest.mark.usefixtures("no_waiting")
def test_a_server_without_ranges_begins_anew(tmp_path: Path, server: Server) -> None:
    """It answers with the whole file, which replaces the part."""
    data = make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(0).bytes(90_000)}).read_bytes()
    server.files["/a.zip"] = data
    server.ranges = False
    server.breaks = [70_000]
    assert outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache") == ["a"]


@pytest.mark.usefixtures("no_waiting")
def test_passing_errors_of_a_server_are_tried_again(tmp_path: Path, server: Server) -> None:
    """503 and 429 are for the moment."""
    server.files["/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    server.status = [503, 429]
    assert outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache") == ["a"]


@pytest.mark.parametrize(("status", "error"), [(404, MissingFileError), (403, UnreadableFileError)])
def test_lasting_errors_of_a_server_are_reported_at_once(
    tmp_path: Path, server: Server, status: int, error: type[DataError]
) -> None:
    """One request, the status in the text."""
    server.files["/a.zip"] = b"1"
    server.status = [status]
    with pytest.raises(error, match=f"status {status}"):
        outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache")
    assert len(server.requests) == 1


@pytest.mark.usefixtures("no_waiting")
def test_no_server_is_reported(tmp_path: Path) -> None:
    """Nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreadableFileError, match="must come to its end, got ConnectionError"):
        outcome(ingest(f"http://127.0.0.1:{port}/a.zip"), tmp_path / "cache")


def test_another_checksum_is_refused_and_not_kept(tmp_path: Path, server: Server) -> None:
    """A file that is not the one named does not come into the cache."""
    server.files["/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    settings = ingest(f"{server.url}/a.zip", checksum="sha256:" + "0" * 64)
    with pytest.raises(UnreadableFileError, match="has the checksum"):
        outcome(settings, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("checksum", ["sha256:xyz", "crc:00", "sha256:", "md5:0:0x"])
def test_a_checksum_of_another_form_is_refused(tmp_path: Path, checksum: str) -> None:
    """Before anything is downloaded."""
    with pytest.raises(ConfigError, match="a checksum is written"):
        outcome(ingest("http://127.0.0.1:1/a.zip", checksum=checksum), tmp_path)


def test_a_download_is_logged_without_its_url(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """URLs and paths may hold names of patients and secrets."""
    server.files["/mueller.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    with caplog.at_level(logging.INFO):
        outcome(ingest(f"{server.url}/mueller.zip"), tmp_path / "cache")
    assert "mueller" not in caplog.text


class TestOnBytes:
    """What a download reports while it runs."""

    @staticmethod
    def reported(server: Server, cache: Path, data: bytes) -> list[tuple[int, int | None]]:
        """Every report of one download."""
        server.files["/a.zip"] = data
        seen: list[tuple[int, int | None]] = []
        fetch_url(f"{server.url}/a.zip", cache, checksum=None, on_bytes=lambda *at: seen.append(at))
        return seen

    def test_every_chunk_counts(self, tmp_path: Path, server: Server) -> None:
        """From the first chunk to all bytes, beside the whole that the server announces."""
        seen = self.reported(server, tmp_path, bytes(200_000))
        assert [done for done, _ in seen] == [65_536, 131_072, 196_608, 200_000]
        assert {total for _, total in seen} == {200_000}

    @pytest.mark.usefixtures("no_waiting")
    def test_after_a_break_it_counts_on(self, tmp_path: Path, server: Server) -> None:
        """Bytes of the attempt before are not counted again, nor forgotten."""
        server.breaks = [140_000]
        seen = self.reported(server, tmp_path, bytes(200_000))
        assert [done for done, _ in seen] == [65_536, 131_072, 196_608, 200_000]
        assert {total for _, total in seen} == {200_000}
        assert len(server.requests) == 2

    @pytest.mark.usefixtures("no_waiting")
    def test_where_the_server_begins_anew_so_does_the_count(
        self, tmp_path: Path, server: Server
    ) -> None:
        """Without ranges the whole file comes again."""
        server.breaks, server.ranges = [140_000], False
        seen = self.reported(server, tmp_path, bytes(200_000))
        assert [done for done, _ in seen][:4] == [65_536, 131_072, 65_536, 131_072]
        assert seen[-1] == (200_000, 200_000)

    def test_the_whole_is_known_at_the_end_at_last(self, tmp_path: Path, server: Server) -> None:
        """A server need not say a length: then the total is None until everything is here."""
        server.says_length = False
        seen = self.reported(server, tmp_path, bytes(200_000))
        assert {total for _, total in seen[:-1]} == {None}
        assert seen[-1] == (200_000, 200_000)

    def test_a_file_in_the_cache_reports_nothing(self, tmp_path: Path, server: Server) -> None:
        """Nothing is downloaded the second time."""
        assert self.reported(server, tmp_path, b"1")
        assert self.reported(server, tmp_path, b"1") == []


def zenodo_record(server: Server, data: bytes, digest: str) -> None:
    """What Zenodo says of its record, and the file."""
    link = f"{server.url}/api/records/3835682/files/training.zip/content"
    entry = {"key": "training.zip", "checksum": f"md5:{digest}", "links": {"self": link}}
    record = {"id": 3835682, "files": [entry]}
    server.files["/api/records/3835682"] = json.dumps(record).encode()
    server.files["/api/records/3835682/files/training.zip/content"] = data


def test_the_zenodo_dataset_is_downloaded_with_the_checksum_of_zenodo(
    tmp_path: Path, server: Server
) -> None:
    """From its name to its cases, and a file that differs from the record is refused."""
    names = {f"training/scans/case_001_{breath}.nii.gz": b"1" for breath in ("exp", "insp")}
    data = make_zip(tmp_path / "a.zip", names).read_bytes()
    zenodo_record(server, data, hashlib.md5(data).hexdigest())
    settings = ingest("zenodo-lung-ct")
    with open_source(settings, tmp_path / "cache", zenodo_url=server.url) as folder:
        assert [case.case_id for case in list_cases(folder, settings)] == ["case_001"]
    zenodo_record(server, data, "0" * 32)
    with pytest.raises(UnreadableFileError, match="has the checksum"):
        outcome(settings, tmp_path / "other", zenodo_url=server.url)


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"files": []}', b"[]", None])
def test_a_strange_answer_of_zenodo_is_reported(
    tmp_path: Path, server: Server, answer: bytes | None
) -> None:
    """A page for maintenance, an empty record, nothing."""
    if answer is not None:
        server.files["/api/records/3835682"] = answer
    with pytest.raises(UnreadableFileError, match="Zenodo must answer"):
        outcome(ingest("zenodo-lung-ct"), tmp_path, zenodo_url=server.url)
