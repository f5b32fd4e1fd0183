"""Sources: folders, archives from anyone, URLs that break off, and the three layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import socket
import stat
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lungreg.config import Ingest, Pattern
from lungreg.errors import (
    ConfigError,
    DataError,
    MissingFileError,
    StoreUnavailableError,
    UnreadableFileError,
    UnsafeInputError,
)
from lungreg.sources import load_landmarks
from lungreg.sources.downloads import ResumingDownloader
from lungreg.sources.opening import list_cases, open_source, read_groups

ZENODO = Ingest(layout="zenodo")
ODD_IDS = ["case 1", "o'brien", 'the "second"', "Müller_ü", "患者", "a_exp"]


def put(root: Path, *names: str) -> Path:
    """Empty files of these names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def zenodo(root: Path, *case_ids: str) -> Path:
    """The Zenodo layout with all files of each case."""
    for case_id in case_ids:
        for folder in ("scans", "lungMasks"):
            put(root, f"{folder}/{case_id}_exp.nii.gz", f"{folder}/{case_id}_insp.nii.gz")
        put(root, f"keypoints/{case_id}.csv")
    return root


def ingest(source: Path | str, **limits: object) -> Ingest:
    """Settings for one source."""
    return Ingest.model_validate({"source": str(source), **limits})


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    """A real zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    """A real tar with members of any kind; files are filled with zeros."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)) if member.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, to: str = "") -> object:
    """A tar member."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, to
    return info


def outcome(settings: Ingest, cache: Path, **options: object) -> list[str]:
    """Names of all files of an opened source."""
    with open_source(settings, cache, **options) as folder:
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class Server(ThreadingHTTPServer):
    """A web server with ranges, that can break off, change or lose its files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks: list[int] = []
        self.status: list[int] = []
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        data = self.server.files.get(self.path.split("?")[0])
        failing = self.server.status.pop(0) if self.server.status else None
        if failing or data is None:
            self.send_response(failing or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        mark = f'"{hashlib.sha256(data).hexdigest()}"'
        start = 0
        if wanted and self.server.ranges and self.headers.get("If-Range") == mark:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", mark)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        stop = self.server.breaks.pop(0) if self.server.breaks else len(data)
        self.wfile.write(data[start : start + stop])
        if start + stop < len(data):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lungreg.sources.downloads._FIRST_WAIT_S", 0.0)


# Opening


def test_a_folder_is_opened_as_it_is(tmp_path: Path) -> None:
    """Nothing is copied."""
    with open_source(ingest(tmp_path), tmp_path / "cache") as folder:
        assert folder == tmp_path
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("source", [None, "simulate"])
def test_what_is_no_source_here_is_refused(tmp_path: Path, source: str | None) -> None:
    """No source, and what another step makes."""
    opened = open_source(Ingest(source=source), tmp_path)
    with pytest.raises(ConfigError, match=r"ingest\.source names"):
        opened.__enter__()


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    """The path is for the console."""
    with pytest.raises(MissingFileError, match="nowhere"):
        outcome(ingest(tmp_path / "nowhere"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """Damaged or other files."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"complete \.zip"):
        outcome(ingest(path), tmp_path / "cache")


def test_a_zip_is_unpacked_privately_and_removed(tmp_path: Path) -> None:
    """Files are there while the source is open, for this user alone, and gone afterwards."""
    path = make_zip(tmp_path / "a.zip", {"training/scans/ä b_exp.nii": b"1", "empty/": b""})
    with open_source(ingest(path), tmp_path / "cache") as folder:
        assert (folder / "training/scans/ä b_exp.nii").read_bytes() == b"1"
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar", "w")]
)
def test_a_tar_is_unpacked(tmp_path: Path, name: str, mode: str) -> None:
    """Packed and plain, with folders and long names."""
    long = "x" * 180
    members = [member("d", tarfile.DIRTYPE), member("./d/a", size=5), member(f"d/{long}", size=3)]
    path = make_tar(tmp_path / name, *members, mode=mode)
    assert outcome(ingest(path), tmp_path / "cache") == ["d/a", f"d/{long}"]


def test_archives_are_told_by_content(tmp_path: Path) -> None:
    """A name without suffix, as downloads have it, does not matter."""
    path = make_zip(tmp_path / "download", {"a": b"1"})
    assert outcome(ingest(path), tmp_path / "cache") == ["a"]


BAD_NAMES = ["../evil", "a/../../evil", "/tmp/evil", "a\\..\\evil", "C:/evil", "a//../../evil"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_zip_does_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    """Nothing is written outside, and what was unpacked before is removed."""
    path = make_zip(tmp_path / "a.zip", {"good": b"1", name: b"evil"})
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeInputError, match="inside its folder"):
        outcome(ingest(path), tmp_path / "cache")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "cache"}
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_tar_does_not_leave_its_folder(tmp_path: Path, name: str) -> None:
    """The same for tar."""
    path = make_tar(tmp_path / "a.tar.gz", member("good", size=1), member(name, size=1))
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UnsafeInputError, match="inside its folder"):
        outcome(ingest(path), tmp_path / "cache")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "cache"}


KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]


@pytest.mark.parametrize("kind", KINDS)
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A link out of the folder, followed by a file through it, is the classic way out."""
    link = member("out", kind, to=str(tmp_path))
    path = make_tar(tmp_path / "a.tar.gz", link, member("out/evil", size=1))
    with pytest.raises(UnsafeInputError, match="a link or device"):
        outcome(ingest(path), tmp_path / "cache")
    assert not (tmp_path / "evil").exists()


def test_links_of_a_zip_are_refused(tmp_path: Path) -> None:
    """A zip holds links as files with a mode."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, str(tmp_path))
    with pytest.raises(UnsafeInputError, match="a link or device"):
        outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    """The second would hide the first; a file cannot be a folder either."""
    for second in ("a", "a/b"):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("a", b"1")
            archive.writestr(second, b"2")
        with pytest.raises(UnsafeInputError, match="every name once"):
            outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


def test_a_zip_bomb_is_refused_by_its_headers(tmp_path: Path) -> None:
    """Before a byte is written."""
    path = make_zip(tmp_path / "a.zip", {"zeros": bytes(3_000_000)})
    assert path.stat().st_size < 10_000
    with pytest.raises(UnsafeInputError, match=r"at most 0\.002 GB"):
        outcome(ingest(path, max_unpacked_gb=0.002), tmp_path / "cache")


def test_a_zip_that_lies_about_its_size_is_no_way_round(tmp_path: Path) -> None:
    """A size that the headers understate unpacks to no more than it says, and is refused."""
    raw = bytearray(make_zip(tmp_path / "a.zip", {"zeros": bytes(3_000_000)}).read_bytes())
    size = (3_000_000).to_bytes(4, "little")
    assert raw.count(size) == 2
    (tmp_path / "a.zip").write_bytes(raw.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(UnreadableFileError):
        outcome(ingest(tmp_path / "a.zip"), tmp_path / "cache")


def test_a_tar_bomb_is_refused(tmp_path: Path) -> None:
    """Counted while unpacking; what was written is removed."""
    header = member("zeros", size=50_000_000).tobuf()
    packed = gzip.compress(header + bytes(50_000_000), compresslevel=1)
    (tmp_path / "a.tar.gz").write_bytes(packed)
    settings = ingest(tmp_path / "a.tar.gz", max_unpacked_gb=0.001, max_members=10)
    with pytest.raises(UnsafeInputError, match="unpacks to"):
        outcome(settings, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_bomb_in_the_headers_of_a_tar_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    """Tarfile reads such headers at once; ours are refused above 64 MB."""
    header = member("long", kind, size=200_000_000).tobuf()
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header + bytes(1_000_000)))
    tracemalloc.start()
    with pytest.raises(UnsafeInputError, match="headers of an archive are small"):
        outcome(ingest(tmp_path / "a.tar.gz"), tmp_path / "cache")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_members_are_refused(tmp_path: Path, kind: str) -> None:
    """A million empty files fill a file system as well."""
    if kind == "zip":
        path = make_zip(tmp_path / "a", {str(i): b"" for i in range(20)})
    else:
        path = make_tar(tmp_path / "a", *[member(str(i)) for i in range(20)])
    with pytest.raises(UnsafeInputError, match="at most 19 members"):
        outcome(ingest(path, max_members=19), tmp_path / "cache")
    assert len(outcome(ingest(path, max_members=20), tmp_path / "cache")) == 20


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_truncated_archive_is_unreadable_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    """What was unpacked before the end was missed is removed."""
    noise = np.random.default_rng(0).bytes(50_000)
    if kind == "zip":
        path = make_zip(tmp_path / "a", {"a": noise, "b": noise})
    else:
        path = tmp_path / "a"
        with tarfile.open(path, "w:gz") as archive:
            for name in "ab":
                info = tarfile.TarInfo(name)
                info.size = len(noise)
                archive.addfile(info, io.BytesIO(noise))
    path.write_bytes(path.read_bytes()[:70_000])
    with pytest.raises(UnreadableFileError):
        outcome(ingest(path), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_member_is_unreadable(tmp_path: Path) -> None:
    """The checksum inside a zip is compared."""
    path = make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(0).bytes(5000)})
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(UnreadableFileError):
        outcome(ingest(path), tmp_path / "cache")


def test_a_name_longer_than_the_file_system_allows_is_told(tmp_path: Path) -> None:
    """Such an archive cannot be unpacked here."""
    path = make_zip(tmp_path / "a.zip", {"x" * 300: b"1"})
    with pytest.raises(UnreadableFileError, match="names in an archive fit"):
        outcome(ingest(path), tmp_path / "cache")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux has a device that is always full."""
    path = make_zip(tmp_path / "a.zip", {"a": b"1"})
    real = Path.open

    def full_for_writing(self: Path, mode: str = "r") -> object:
        return real(Path("/dev/full"), "wb") if "x" in mode else real(self, mode)

    monkeypatch.setattr(Path, "open", full_for_writing)
    with pytest.raises(StoreUnavailableError, match="a full disk; free some space"):
        outcome(ingest(path), tmp_path / "cache")


# Downloading


def test_a_url_is_downloaded_once_and_unpacked(tmp_path: Path, server: Server) -> None:
    """Where the download is kept, the cache answers the second time."""
    server.files["/d/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    seen: list[tuple[int, int | None]] = []
    settings = ingest(f"{server.url}/d/a.zip?download=1", keep_download=True)
    options = {"progress": lambda done, total: seen.append((done, total))}
    for _ in range(2):
        assert outcome(settings, tmp_path / "cache", **options) == ["a"]
    size = len(server.files["/d/a.zip"])
    assert len(server.requests) == 1
    assert seen[-1] == (size, size)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".zip"]


def test_a_download_is_gone_once_it_has_been_used(tmp_path: Path, server: Server) -> None:
    """Patients' scans stay in no cache; what failed half way stays for the next attempt."""
    server.files["/d/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    settings = ingest(f"{server.url}/d/a.zip")
    with pytest.raises(RuntimeError), open_source(settings, tmp_path / "cache"):
        raise RuntimeError
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".zip"]
    assert outcome(settings, tmp_path / "cache") == ["a"]
    assert len(server.requests) == 1
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("is_there", [False, True])
def test_the_cache_is_the_users_alone(tmp_path: Path, server: Server, is_there: bool) -> None:
    """Nobody else reads downloads and unpacked archives, also where the folder was open before."""
    server.files["/a.zip"] = make_zip(tmp_path / "a.zip", {"scans/a": b"1"}).read_bytes()
    cache = tmp_path / "cache"
    if is_there:
        cache.mkdir(mode=0o755)
    for source in (f"{server.url}/a.zip", str(tmp_path / "a.zip")):
        with open_source(ingest(source), cache) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_somebody_elses_cache_is_refused(tmp_path: Path, server: Server) -> None:
    """A file in the place of the folder stands for any that cannot be made private."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(StoreUnavailableError, match="this user's own"):
        outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache")


@pytest.mark.usefixtures("_no_waiting")
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


@pytest.mark.usefixtures("_no_waiting")
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


@pytest.mark.usefixtures("_no_waiting")
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


@pytest.mark.usefixtures("_no_waiting")
def test_a_server_without_ranges_begins_anew(tmp_path: Path, server: Server) -> None:
    """It answers with the whole file, which replaces the part."""
    data = make_zip(tmp_path / "a.zip", {"a": np.random.default_rng(0).bytes(90_000)}).read_bytes()
    server.files["/a.zip"] = data
    server.ranges = False
    server.breaks = [70_000]
    assert outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache") == ["a"]


@pytest.mark.usefixtures("_no_waiting")
def test_passing_errors_of_a_server_are_tried_again(tmp_path: Path, server: Server) -> None:
    """503 and 429 are for the moment."""
    server.files["/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    server.status = [503, 429]
    assert outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache") == ["a"]


@pytest.mark.parametrize(("status", "error"), [(404, MissingFileError), (403, UnreadableFileError)])
def test_lasting_errors_of_a_server_are_told_at_once(
    tmp_path: Path, server: Server, status: int, error: type[DataError]
) -> None:
    """One request, the status in the text."""
    server.files["/a.zip"] = b"1"
    server.status = [status]
    with pytest.raises(error, match=f"status {status}"):
        outcome(ingest(f"{server.url}/a.zip"), tmp_path / "cache")
    assert len(server.requests) == 1


@pytest.mark.usefixtures("_no_waiting")
def test_no_server_is_told(tmp_path: Path) -> None:
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


def test_other_kinds_of_url_are_refused(tmp_path: Path) -> None:
    """file:// would reach around the rules for folders."""
    with pytest.raises(ConfigError, match="begins with http"):
        outcome(ingest("file:///etc/passwd"), tmp_path)


def test_a_download_is_logged_without_its_url(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """URLs and paths may hold names of patients and secrets."""
    server.files["/mueller.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    with caplog.at_level(logging.INFO):
        outcome(ingest(f"{server.url}/mueller.zip"), tmp_path / "cache")
    assert "mueller" not in caplog.text


def zenodo_record(server: Server, data: bytes, digest: str) -> None:
    """What Zenodo says of its record, and the file."""
    link = f"{server.url}/api/records/3835682/files/training.zip/content"
    entry = {"key": "training.zip", "checksum": f"md5:{digest}", "links": {"self": link}}
    record = {"id": 3835682, "files": [entry]}
    server.files["/api/records/3835682"] = json.dumps(record).encode()
    server.files["/api/records/3835682/files/training.zip/content"] = data


def test_the_zenodo_dataset_is_had_with_the_checksum_that_zenodo_tells(
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
def test_a_strange_answer_of_zenodo_is_told(
    tmp_path: Path, server: Server, answer: bytes | None
) -> None:
    """A page for maintenance, an empty record, nothing."""
    if answer is not None:
        server.files["/api/records/3835682"] = answer
    with pytest.raises(UnreadableFileError, match="Zenodo must answer"):
        outcome(ingest("zenodo-lung-ct"), tmp_path, zenodo_url=server.url)


# Layouts


@pytest.mark.parametrize("top", ["", "training", "a/b/training"])
def test_zenodo_cases_are_found_with_all_their_files(tmp_path: Path, top: str) -> None:
    """Also below other folders, as archives have them."""
    root = zenodo(tmp_path / top, "case_002", "case_001")
    first, second = list_cases(tmp_path, ZENODO)
    assert (first.case_id, second.case_id) == ("case_001", "case_002")
    assert first.fixed == root / "scans/case_001_exp.nii.gz"
    assert first.moving == root / "scans/case_001_insp.nii.gz"
    assert first.fixed_mask == root / "lungMasks/case_001_exp.nii.gz"
    assert first.moving_mask == root / "lungMasks/case_001_insp.nii.gz"
    assert first.landmarks == (root / "keypoints/case_001.csv",)
    assert first.problems == ()


def test_masks_and_landmarks_are_optional(tmp_path: Path) -> None:
    """None or one of them is no problem; plain .nii is read too."""
    put(tmp_path, "scans/a_exp.nii", "scans/a_insp.nii", "lungMasks/a_exp.nii.gz")
    (case,) = list_cases(tmp_path, ZENODO)
    assert case.fixed_mask is not None
    assert (case.moving_mask, case.landmarks, case.problems) == (None, (), ())


def test_landmarks_come_before_keypoints(tmp_path: Path) -> None:
    """Points set by people are the better measure."""
    zenodo(tmp_path, "a")
    put(tmp_path, "landmarks/a.csv")
    assert list_cases(tmp_path, ZENODO)[0].landmarks == (tmp_path / "landmarks/a.csv",)


@pytest.mark.parametrize("case_id", ODD_IDS)
def test_odd_names_are_kept(tmp_path: Path, case_id: str) -> None:
    """Spaces, quotes, unicode."""
    zenodo(tmp_path, case_id)
    (case,) = list_cases(tmp_path, ZENODO)
    assert (case.case_id, case.problems) == (case_id, ())


@pytest.mark.parametrize("case_id", ["a\nb", "a\tb", "a\x7fb", "a\x85b", "a\u2028b", "a\\b"])
def test_names_with_control_characters_are_a_problem(tmp_path: Path, case_id: str) -> None:
    """The case is listed, the good ones beside it are as well."""
    zenodo(tmp_path, case_id, "good")
    cases = {case.case_id: case for case in list_cases(tmp_path, ZENODO)}
    assert cases["good"].problems == ()
    (problem,) = cases[case_id].problems
    assert "control character" in problem.anonymous
    assert case_id not in problem.anonymous


def test_names_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    """Bytes of another encoding in a file's name cannot stand in a table."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for breath in (b"exp", b"insp"):
        Path(
            str(folder)
            + "/"
            + (b"M\xfcller_" + breath + b".nii").decode("utf-8", "surrogateescape")
        ).touch()
    (case,) = list_cases(tmp_path, ZENODO)
    assert len(case.problems) == 1


def test_a_long_case_id_is_a_problem(tmp_path: Path) -> None:
    """With what is written after it, a name would exceed the file system's limit."""
    zenodo(tmp_path, "x" * 150, "y" * 195)
    fits, too_long = list_cases(tmp_path, ZENODO)
    assert fits.problems == ()
    assert "at most 200 bytes" in too_long.problems[0].anonymous


@pytest.mark.parametrize(("missing", "match"), [("exp", "expiration"), ("insp", "inspiration")])
def test_a_missing_partner_is_a_problem_of_that_case_alone(
    tmp_path: Path, missing: str, match: str
) -> None:
    """The case is named to people, not to logs."""
    zenodo(tmp_path, "good", "mueller")
    (tmp_path / f"scans/mueller_{missing}.nii.gz").unlink()
    good, bad = list_cases(tmp_path, ZENODO)
    assert good.problems == ()
    (problem,) = bad.problems
    assert isinstance(problem, MissingFileError)
    assert match in problem.anonymous
    assert "mueller" not in problem.anonymous
    assert "mueller" in str(problem)


def test_a_case_given_twice_is_a_problem(tmp_path: Path) -> None:
    """case_exp.nii beside case_exp.nii.gz: nobody knows which is meant."""
    zenodo(tmp_path, "a", "b")
    put(tmp_path, "scans/a_exp.nii", "lungMasks/b_insp.nii")
    first, second = list_cases(tmp_path, ZENODO)
    assert "one file as fixed, got 2" in first.problems[0].anonymous
    assert "one file as moving_mask, got 2" in second.problems[0].anonymous


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    """Hidden files, resource forks, __MACOSX."""
    zenodo(tmp_path / "training", "a")
    put(tmp_path, "__MACOSX/training/scans/b_exp.nii.gz", "training/scans/._a_exp.nii.gz")
    put(tmp_path, "training/scans/.DS_Store", ".hidden/scans/c_exp.nii.gz", "readme.txt")
    (case,) = list_cases(tmp_path, ZENODO)
    assert (case.case_id, case.problems) == ("a", ())


@pytest.mark.parametrize("layout", ["zenodo", "learn2reg", "pattern"])
def test_nothing_found_says_what_was_looked_for_and_what_is_there(
    tmp_path: Path, layout: str
) -> None:
    """Names of what is there are for the console alone."""
    put(tmp_path, "mueller_scan.nii.gz", "old/x.txt")
    pattern = {"fixed": "{case_id}/e.nii", "moving": "{case_id}/i.nii"}
    settings = Ingest.model_validate({"layout": layout, "pattern": pattern})
    with pytest.raises(DataError, match=rf"holds mueller_scan.nii.gz, old/.*'{layout}'") as caught:
        list_cases(tmp_path, settings)
    assert "mueller" not in caught.value.anonymous


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """Scans without a scan, too."""
    (tmp_path / "scans").mkdir()
    with pytest.raises(DataError, match="holds nothing"):
        list_cases(tmp_path, ZENODO)


def test_two_roots_are_not_chosen_from(tmp_path: Path) -> None:
    """Training and test side by side: the user says which."""
    zenodo(tmp_path / "training", "a")
    zenodo(tmp_path / "test", "b")
    with pytest.raises(DataError, match="2 such folders; give one of them"):
        list_cases(tmp_path, ZENODO)


L2R = Ingest(layout="learn2reg")


def learn2reg(root: Path, *numbers: int, **index: object) -> Path:
    """The Learn2Reg layout."""
    pairs = []
    for number in numbers:
        names = [f"LungCT_{number:04d}_{breath:04d}.nii.gz" for breath in (0, 1)]
        put(root, *(f"{folder}/{name}" for folder in ("imagesTr", "masksTr") for name in names))
        fixed, moving = (f"./imagesTr/{name}" for name in names)
        pairs.append({"fixed": fixed, "moving": moving})
    content = {"training_paired_images": pairs, "registration_val": pairs[:1], **index}
    (root / "LungCT_dataset.json").write_text(json.dumps(content))
    return root


def test_learn2reg_pairs_are_found_with_masks_and_points(tmp_path: Path) -> None:
    """0000 is expiration; points are a list for each scan, joined to six columns."""
    root = learn2reg(tmp_path / "LungCT", 1, 2)
    for breath in (0, 1):
        path = put(root, f"keypointsTr/LungCT_0001_{breath:04d}.csv")
        name = f"keypointsTr/LungCT_0001_{breath:04d}.csv"
        (path / name).write_text(f"{breath},2,3\n4,5,6\n")
    first, second = list_cases(tmp_path, L2R)
    assert (first.case_id, second.case_id) == ("LungCT_0001", "LungCT_0002")
    assert first.fixed == root / "imagesTr/LungCT_0001_0000.nii.gz"
    assert first.moving == root / "imagesTr/LungCT_0001_0001.nii.gz"
    assert first.moving_mask == root / "masksTr/LungCT_0001_0001.nii.gz"
    assert (first.problems, second.problems) == ((), ())
    points = load_landmarks(first)
    assert points is not None
    np.testing.assert_array_equal(points, [[0, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]])
    assert load_landmarks(second) is None


def test_points_of_one_scan_alone_are_left_out_with_a_warning(tmp_path: Path) -> None:
    """A case is not lost for want of half its landmarks."""
    put(learn2reg(tmp_path, 1), "keypointsTr/LungCT_0001_0000.csv")
    (case,) = list_cases(tmp_path, L2R)
    assert (case.landmarks, case.problems) == ((), ())
    assert "for both scans" in case.warnings[0].anonymous


def test_points_of_different_number_are_refused(tmp_path: Path) -> None:
    """Lists of two scans belong together row by row."""
    root = learn2reg(tmp_path, 1)
    put(root, "landmarksTr/LungCT_0001_0000.csv", "landmarksTr/LungCT_0001_0001.csv")
    (root / "landmarksTr/LungCT_0001_0000.csv").write_text("1,2,3\n4,5,6\n")
    (root / "landmarksTr/LungCT_0001_0001.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="same number of landmarks"):
        load_landmarks(list_cases(tmp_path, L2R)[0])


def test_a_listed_scan_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Of that case alone."""
    (learn2reg(tmp_path, 1, 2) / "imagesTr/LungCT_0001_0001.nii.gz").unlink()
    first, second = list_cases(tmp_path, L2R)
    assert "inspiration" in first.problems[0].anonymous
    assert second.problems == ()


@pytest.mark.parametrize("name", ["/etc/passwd", "imagesTr/../../x_0000.nii.gz"])
def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    """An index comes with the archive, from anyone."""
    learn2reg(tmp_path, 1, registration_test=[{"fixed": name, "moving": name}])
    problems = [case.problems for case in list_cases(tmp_path, L2R)]
    assert sorted(map(len, problems)) == [0, 1]
    assert isinstance(next(p for p in problems if p)[0], UnsafeInputError)


@pytest.mark.parametrize("name", ["a\0b", "x" * 400, "\ud800", "imagesTr/no\nname.nii"])
def test_an_index_of_impossible_names_is_a_problem_of_one_case(tmp_path: Path, name: str) -> None:
    """Names that no file system takes."""
    learn2reg(tmp_path, 1, registration_test=[{"fixed": name, "moving": name}])
    assert sorted(bool(case.problems) for case in list_cases(tmp_path, L2R)) == [False, True]


def test_images_may_lie_beside_the_index(tmp_path: Path) -> None:
    """A scan is then not taken for its own mask."""
    put(tmp_path, "a_0000.nii", "a_0001.nii", "masks/a_0000.nii")
    pairs = [{"fixed": "a_0000.nii", "moving": "a_0001.nii"}]
    (tmp_path / "dataset.json").write_text(json.dumps({"training_paired_images": pairs}))
    (case,) = list_cases(tmp_path, L2R)
    assert (case.case_id, case.problems) == ("a", ())
    assert (case.fixed_mask, case.moving_mask) == (tmp_path / "masks/a_0000.nii", None)


def test_one_fixed_scan_in_two_pairs_is_a_problem(tmp_path: Path) -> None:
    """They would have one case id."""
    pair = {"fixed": "imagesTr/LungCT_0001_0000.nii.gz", "moving": "imagesTr/other.nii.gz"}
    learn2reg(tmp_path, 1, registration_test=[pair])
    (case,) = list_cases(tmp_path, L2R)
    assert any("listed once" in problem.anonymous for problem in case.problems)


@pytest.mark.parametrize(
    "content",
    [b"not json", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"training_paired_images": [1]}'],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """In our own words."""
    (tmp_path / "LungCT_dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=r"the index of a dataset is JSON|an index lists pairs"):
        list_cases(tmp_path, L2R)


@pytest.mark.parametrize("pair", [{"fixed": 3, "moving": "a"}, {"moving": "a"}, None])
def test_an_index_of_strange_pairs_is_refused(tmp_path: Path, pair: object) -> None:
    """Pairs are two names."""
    learn2reg(tmp_path, 1, registration_test=[pair])
    with pytest.raises(DataError, match="lists pairs of 'fixed' and 'moving'"):
        list_cases(tmp_path, L2R)


def test_an_index_without_pairs_is_told(tmp_path: Path) -> None:
    """Nothing to do is no success."""
    learn2reg(tmp_path)
    with pytest.raises(DataError, match="which lists pairs, got none"):
        list_cases(tmp_path, L2R)


def by_pattern(**patterns: str) -> Ingest:
    """Settings for the user's own patterns."""
    return Ingest(layout="pattern", pattern=Pattern.model_validate(patterns))


def test_patterns_find_files_and_folders(tmp_path: Path) -> None:
    """The placeholder may come twice, a folder may be a DICOM series, * is any text."""
    put(
        tmp_path,
        "p1/p1_exp.nii",
        "p1/in 42/1.dcm",
        "p1/lung.nrrd",
        "p2/p2_exp.nii",
        "p2/in 7/1.dcm",
    )
    put(tmp_path, "p1/p2_exp.nii", "points.csv/p1")
    settings = by_pattern(
        fixed="./{case_id}/{case_id}_exp.nii",
        moving="{case_id}/in *",
        fixed_mask="{case_id}/lung.nrrd",
    )
    first, second = list_cases(tmp_path, settings)
    assert (first.case_id, second.case_id) == ("p1", "p2")
    assert first.fixed == tmp_path / "p1/p1_exp.nii"
    assert first.moving == tmp_path / "p1/in 42"
    assert (first.fixed_mask, second.fixed_mask) == (tmp_path / "p1/lung.nrrd", None)
    assert first.problems == second.problems == ()


def test_patterns_are_literal_but_for_the_star(tmp_path: Path) -> None:
    """Brackets, dots and the like of a name mean themselves."""
    put(tmp_path, "a [1].(e).nii", "a [1].(i).nii", "a 1Xeyynii")
    settings = by_pattern(fixed="{case_id} [1].(e).nii", moving="{case_id} [1].(i).nii")
    (case,) = list_cases(tmp_path, settings)
    assert case.case_id == "a"


def test_two_matches_of_a_pattern_are_a_problem(tmp_path: Path) -> None:
    """Nobody knows which is meant; a missing partner is told as well."""
    put(tmp_path, "a/e1.nii", "a/e2.nii", "a/i.nii", "b/e1.nii")
    first, second = list_cases(tmp_path, by_pattern(fixed="{case_id}/e*", moving="{case_id}/i.nii"))
    assert "one file as fixed, got 2" in first.problems[0].anonymous
    assert isinstance(second.problems[0], MissingFileError)


def test_a_top_folder_of_an_archive_is_passed_through(tmp_path: Path) -> None:
    """Patterns are written for what lies in it."""
    put(tmp_path, "data/a/e.nii", "data/a/i.nii", "__MACOSX/x")
    settings = by_pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii")
    assert [case.case_id for case in list_cases(tmp_path, settings)] == ["a"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A user's folder may hold links, even to itself."""
    put(tmp_path, "a/e.nii", "a/i.nii")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    settings = by_pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii")
    assert [case.case_id for case in list_cases(tmp_path, settings)] == ["a"]


@pytest.mark.parametrize("pattern", ["/data/{case_id}.nii", "../{case_id}.nii"])
def test_patterns_stay_inside_the_source(tmp_path: Path, pattern: str) -> None:
    """They are relative to it."""
    with pytest.raises(ConfigError, match="stays inside"):
        list_cases(tmp_path, by_pattern(fixed=pattern, moving="{case_id}/i.nii"))


# Groups


@pytest.mark.parametrize(
    "text",
    [
        "case_id,group\na,p1\nb,p1\nc,p2\n",
        "\ufeffcase_id;group;age\r\na;p1;3\r\nb;p1;4\r\nc;p2;5\r\n",
        'group, case_id\np1, "a"\np1,b\np2,c\n\n',
    ],
)
def test_groups_are_read(tmp_path: Path, text: str) -> None:
    """Any order of columns, others beside them, either separator."""
    (tmp_path / "g.csv").write_text(text, encoding="utf-8")
    assert read_groups(tmp_path / "g.csv") == {"a": "p1", "b": "p1", "c": "p2"}


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "columns case_id and group"),
        (b"case,patient\na,b\n", "columns case_id and group"),
        (b"case_id,group\na,\n", "an empty entry"),
        (b"case_id,group\na\n", "an empty entry"),
        (b"case_id,group\na,p\na,q\n", "belongs to one group"),
        (b"\xff\xfe\x00", "text in UTF-8"),
        (b"case_id,group\na," + b"p" * 200_000, "is CSV"),
    ],
)
def test_groups_that_are_none_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    """Each fault in its own words."""
    (tmp_path / "g.csv").write_bytes(data)
    with pytest.raises(DataError, match=match):
        read_groups(tmp_path / "g.csv")


def test_missing_groups_are_told(tmp_path: Path) -> None:
    """A file that is named must be there; a folder is none."""
    with pytest.raises(MissingFileError):
        read_groups(tmp_path / "g.csv")
    with pytest.raises(UnreadableFileError):
        read_groups(tmp_path)
