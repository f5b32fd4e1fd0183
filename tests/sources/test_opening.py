"""Sources opened: a folder, an archive, a download, and what stays of them in the cache."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lungreg.config import Ingest
from lungreg.errors import ConfigError, MissingFileError, StoreUnavailableError
from lungreg.sources import open_source
from tests.sources.made_sources import ingest, make_zip, outcome
from tests.web_server import Server


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


def test_a_missing_source_is_reported(tmp_path: Path) -> None:
    """The path is for the console."""
    with pytest.raises(MissingFileError, match="nowhere"):
        outcome(ingest(tmp_path / "nowhere"), tmp_path)


def test_a_url_is_downloaded_once_and_unpacked(tmp_path: Path, server: Server) -> None:
    """Where the download is kept, the cache answers the second time."""
    server.files["/d/a.zip"] = make_zip(tmp_path / "a.zip", {"a": b"1"}).read_bytes()
    seen: list[tuple[int, int | None]] = []
    settings = ingest(f"{server.url}/d/a.zip?download=1", keep_download=True)
    for _ in range(2):
        found = outcome(settings, tmp_path / "cache", on_bytes=lambda *at: seen.append(at))
        assert found == ["a"]
    size = len(server.files["/d/a.zip"])
    assert len(server.requests) == 1
    assert seen == [(size, size)]
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


def test_other_kinds_of_url_are_refused(tmp_path: Path) -> None:
    """file:// would reach around the rules for folders."""
    with pytest.raises(ConfigError, match="begins with http"):
        outcome(ingest("file:///etc/passwd"), tmp_path)
