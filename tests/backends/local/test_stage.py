"""The stage in a folder, under the contract and in what only a folder can do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lungreg.backends.local.partial import PARTIAL_PREFIX
from lungreg.backends.local.stage import LocalStage
from lungreg.errors import (
    AlreadyExistsError,
    DataError,
    NotFoundError,
    StoreUnavailableError,
    UnsafeInputError,
)
from lungreg.stores import Stage
from tests.contracts.exclusive_stage import ExclusiveStageContract


def files_in(folder: Path) -> set[str]:
    """Names of all files below a folder."""
    return {
        str((Path(where) / name).relative_to(folder))
        for where, _, names in os.walk(folder)
        for name in names
    }


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Run as a user whom the system refuses the folder: root is refused nothing."""
    mode = folder.stat().st_mode
    root = os.geteuid() == 0
    folder.chmod(0o700 if root else 0)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(mode)


class TestLocalStage(ExclusiveStageContract):
    """A folder keeps the contract."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return LocalStage(tmp_path / "the root")

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return files_in(tmp_path / "the root")


@pytest.fixture
def stage(tmp_path: Path) -> LocalStage:
    """A stage with one file."""
    stage = LocalStage(tmp_path / "stage")
    stage.write("folder/file", b"x")
    return stage


def test_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage opened with a relative root stays where it is when the working folder changes."""
    monkeypatch.chdir(tmp_path)
    stage = LocalStage(Path("here"))
    stage.write("file", b"x")
    monkeypatch.chdir("/")
    assert stage.read("file") == b"x"


def test_the_folder_copied_elsewhere_is_the_same_stage(stage: LocalStage, tmp_path: Path) -> None:
    """Names are relative: a copy of the folder holds what the stage held."""
    shutil.copytree(stage.root, tmp_path / "copy")
    shutil.rmtree(stage.root)
    assert LocalStage(tmp_path / "copy").read("folder/file") == b"x"


def test_links_out_of_the_stage_are_refused(stage: LocalStage, tmp_path: Path) -> None:
    """A link that leads out of the root is neither read, listed, written through nor deleted in."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (stage.root / "link").symlink_to(outside / "secret")
    (stage.root / "folder link").symlink_to(outside)
    for name in ("link", "folder link/secret"):
        with pytest.raises(UnsafeInputError, match="symbolic link"):
            stage.read(name)
    for call in (
        lambda: stage.write("folder link/secret", b"changed"),
        lambda: stage.create("folder link/new", b"x"),
        lambda: stage.delete("folder link/secret"),
        lambda: stage.list("folder link"),
    ):
        with pytest.raises(UnsafeInputError, match="symbolic link"):
            call()
    assert [info.name for info in stage.list()] == ["folder/file"]
    assert files_in(outside) == {"secret"}


def test_a_link_as_target_is_replaced(stage: LocalStage, tmp_path: Path) -> None:
    """Writing a name that is a link puts a file in its place, and never follows it."""
    (tmp_path / "outside").write_bytes(b"outside")
    (stage.root / "link").symlink_to(tmp_path / "outside")
    stage.write("link", b"inside")
    assert stage.read("link") == b"inside"
    assert (tmp_path / "outside").read_bytes() == b"outside"


def test_links_inside_the_stage_are_read(stage: LocalStage) -> None:
    """A link to a file of the stage is that file."""
    (stage.root / "link").symlink_to(stage.root / "folder" / "file")
    assert stage.read("link") == b"x"
    assert [info.name for info in stage.list()] == ["folder/file", "link"]


def test_partial_files_are_never_listed_nor_written(stage: LocalStage) -> None:
    """The names of files being written belong to the stage alone."""
    (stage.root / "folder" / f"{PARTIAL_PREFIX}left by a killed writer").write_bytes(b"x")
    assert [info.name for info in stage.list()] == ["folder/file"]
    with pytest.raises(DataError, match="begins with"):
        stage.write(f"folder/{PARTIAL_PREFIX}mine", b"x")


def test_names_that_no_stage_holds_are_not_listed(stage: LocalStage) -> None:
    """A file put there by other means under an illegal name is passed over."""
    (stage.root / "line\nbreak").write_bytes(b"x")
    (stage.root / "back\\slash").write_bytes(b"x")
    assert [info.name for info in stage.list()] == ["folder/file"]


def test_a_file_and_a_folder_cannot_share_a_name(stage: LocalStage) -> None:
    """Writing onto a folder, or below a file, is refused and changes nothing."""
    for name in ("folder", "folder/file/deeper"):
        for write in (stage.write, stage.create):
            with pytest.raises(AlreadyExistsError):
                write(name, b"y")
    assert files_in(stage.root) == {"folder/file"}


def test_a_forbidden_folder_is_unavailable(stage: LocalStage, tmp_path: Path) -> None:
    """What the system forbids is StoreUnavailableError, in every method, with how to mend it."""
    (tmp_path / "source").write_bytes(b"x")
    with as_nobody(stage.root):
        for call in (
            lambda: stage.read("folder/file"),
            lambda: stage.size("folder/file"),
            lambda: stage.exists("folder/file"),
            stage.list,
            lambda: stage.list("folder"),
            lambda: stage.write("new", b"x"),
            lambda: stage.create("new", b"x"),
            lambda: stage.delete("folder/file"),
        ):
            with pytest.raises(StoreUnavailableError, match="Permission denied"):
                call()
    assert files_in(stage.root) == {"folder/file"}


def test_a_file_as_root_is_unavailable(tmp_path: Path) -> None:
    """A root that is no folder is named as the fault."""
    (tmp_path / "root").write_bytes(b"x")
    stage = LocalStage(tmp_path / "root")
    for write in (stage.write, stage.create):
        with pytest.raises(StoreUnavailableError, match="root of a local stage is a folder"):
            write("file", b"x")
    with pytest.raises(NotFoundError):
        stage.read("file")


def test_a_name_too_long_for_the_file_system_is_refused(stage: LocalStage) -> None:
    """Parts of legal length can still make a path that the system refuses."""
    name = "/".join(["n" * 200] * 30)
    with pytest.raises(DataError, match="fits the file system"):
        stage.write(name, b"x")


def test_new_files_honour_the_umask(stage: LocalStage) -> None:
    """A group that shares the folder can read it: files are as public as the umask says."""
    old = os.umask(0o027)
    try:
        stage.write("shared/file", b"x")
        stage.create("shared/claim", b"x")
    finally:
        os.umask(old)
    assert (stage.root / "shared").stat().st_mode & 0o777 == 0o750
    assert (stage.root / "shared/file").stat().st_mode & 0o777 == 0o640
    assert (stage.root / "shared/claim").stat().st_mode & 0o777 == 0o640


def test_create_without_hard_links(stage: LocalStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without hard links a claim is still exclusive and leaves nothing else."""

    def refuse(source: object, target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    stage.create("claim", b"first")
    with pytest.raises(AlreadyExistsError):
        stage.create("claim", b"second")
    assert stage.read("claim") == b"first"
    assert files_in(stage.root) == {"folder/file", "claim"}


def test_download_leaves_the_old_file_when_it_fails(stage: LocalStage, tmp_path: Path) -> None:
    """A download of what is not there does not touch the local file."""
    (tmp_path / "local").write_bytes(b"old")
    with pytest.raises(NotFoundError):
        stage.download("missing", tmp_path / "local")
    assert (tmp_path / "local").read_bytes() == b"old"
