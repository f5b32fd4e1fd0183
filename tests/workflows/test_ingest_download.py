"""Ingest from a URL: what a person sees while the archive downloads."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from tests.site import CASES, Site
from tests.web_server import Server

MEGABYTES = 30


@pytest.fixture
def url(raw: Site, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cohort as an archive of some 30 MB on a server, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = Path(shutil.make_archive(str(tmp_path / "training"), "zip", raw.folder, "training"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("training/noise", np.random.default_rng(0).bytes(MEGABYTES * 10**6))
    server.files["/mueller.zip"] = path.read_bytes()
    return f"{server.url}/mueller.zip"


def test_every_megabyte_is_reported_before_the_first_case(raw: Site, url: str) -> None:
    """In order and once, beside the whole, and without a name."""
    events: list[Progress] = []
    ingest(raw.config(f"ingest.source={url}"), on_progress=events.append)
    downloads = [event for event in events if event.step == "download"]
    assert events[: len(downloads)] == downloads
    total = downloads[-1].total
    assert total is not None
    assert total > MEGABYTES
    assert [event.done for event in downloads] == list(range(1, total + 1))
    assert {(event.total, event.unit, event.note) for event in downloads} == {(total, "MB", "")}


def test_the_whole_may_be_unknown(raw: Site, url: str, server: Server) -> None:
    """Then it is None until the end."""
    server.says_length = False
    events: list[Progress] = []
    ingest(raw.config(f"ingest.source={url}"), on_progress=events.append)
    downloads = [event for event in events if event.step == "download"]
    assert {event.total for event in downloads[:-1]} == {None}
    assert downloads[-1].done == downloads[-1].total


def test_where_no_terminal_is_a_download_takes_few_lines(raw: Site, url: str) -> None:
    """From the first megabyte to the last, at most one a second; neither URL nor name in them."""
    done = raw.run("ingest", "--set", f"ingest.source={url}", "--set", "ingest.keep_download=true")
    lines = [line for line in done.out.splitlines() if line.startswith("download")]
    total = int(lines[-1].split()[1].split("/")[1])
    assert lines[0] == f"download 1/{total} MB"
    assert lines[-1] == f"download {total}/{total} MB"
    assert 1 < len(lines) < 25
    again = raw.run("ingest", "--set", f"ingest.source={url}")
    assert "download" not in again.out
    assert f"{len(CASES)} cases" in again.out


@pytest.mark.parametrize("option", ["-q", "--json"])
def test_quiet_and_json_show_no_download(raw: Site, url: str, option: str) -> None:
    """Nothing, or one JSON document."""
    done = raw.run("ingest", "--set", f"ingest.source={url}", option)
    assert (done.code, done.err) == (0, "")
    assert "download" not in done.out
    if option == "--json":
        assert len(json.loads(done.out)["cases"]) == len(CASES)
    else:
        assert done.out == ""
