"""Temporary folders, Snowflake's and ours, on the way of a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from lungreg.backends.snowflake.files import transfers
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import NotFoundError


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
