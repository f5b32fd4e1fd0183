"""Small local files: written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import ConfigError, MissingFileError, RunError, UnreadableFileError
from lungreg.formats.local_files import is_there, read_file, refuse_overwriting, write_file


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
    with pytest.raises(ConfigError, match="an output is a file, got a folder"):
        refuse_overwriting(tmp_path, [scan])


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    """Of an output it is refused at once; as an input it is left to whoever reads it."""
    long, scan = tmp_path / f"{'a' * 300}.csv", tmp_path / "scan"
    scan.touch()
    refuse_overwriting(scan, [long])
    for name in (long, scan / "below"):
        with pytest.raises(RunError, match=r"a place that can be written.*another name"):
            refuse_overwriting(name, [scan])


def test_what_is_there(tmp_path: Path) -> None:
    """A link that leads to nothing too: it would be replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert is_there(tmp_path)
    assert is_there(tmp_path / "link")
    assert not is_there(tmp_path / "nothing")
