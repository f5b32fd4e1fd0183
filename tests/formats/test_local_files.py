"""Small local files: written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import ConfigError, MissingFileError, RunError, UnreadableFileError
from lungreg.formats.local_files import read_file, refuse_overwriting, write_file


def test_a_file_is_written_or_replaced(tmp_path: Path) -> None:
    """Folders that are missing are made, and nothing else is left beside it."""
    path = tmp_path / "a" / "b" / "file"
    for data in (b"first", b"second"):
        write_file(path, data)
        assert read_file(path) == data
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file is whole, and no part of the new one stays."""
    path = tmp_path / "file"
    write_file(path, b"old")

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(RunError, match="No space left"):
        write_file(path, b"new")
    assert read_file(path) == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """A file where a folder should be stands for any of them."""
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="can be written"):
        write_file(tmp_path / "file" / "below", b"")


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """A file that is not there, and a folder."""
    with pytest.raises(MissingFileError, match="must be there"):
        read_file(tmp_path / "none")
    with pytest.raises(UnreadableFileError, match="must be readable"):
        read_file(tmp_path)


def test_an_output_is_no_input(tmp_path: Path) -> None:
    """Also through a link; other files and missing ones do not matter."""
    scan, link = tmp_path / "scan", tmp_path / "link"
    scan.touch()
    link.symlink_to(scan)
    refuse_overwriting(tmp_path / "out", [scan, None])
    refuse_overwriting(scan, [tmp_path / "none"])
    with pytest.raises(ConfigError, match="another file than the inputs"):
        refuse_overwriting(link, [None, scan])
