"""The stage over fsspec, under the contract with two drivers that need no server."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from lungreg.backends.local.bucket import BucketStage
from lungreg.errors import StoreUnavailableError
from lungreg.stores import Stage
from tests.backends.local.test_stage import files_in
from tests.contracts.exclusive_stage import ExclusiveStageContract


class TestMemoryUrl(ExclusiveStageContract):
    """memory:// keeps the contract."""

    shared_between_processes = False
    on_this_disk = False

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        url = f"memory://{uuid.uuid4().hex}/a folder"
        yield BucketStage(url)
        driver, root = fsspec.url_to_fs(url)
        if driver.exists(root):
            driver.rm(root, recursive=True)

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        driver, root = fsspec.url_to_fs(stage.url)
        return {name.removeprefix(f"{root}/") for name in driver.find(root)}


class TestFileUrl(ExclusiveStageContract):
    """file:// through fsspec keeps the contract: so can other drivers that rename."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return BucketStage(f"file://{tmp_path}/the root/")

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return files_in(tmp_path / "the root")


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_missing_driver_names_the_pip_command() -> None:
    """Without its driver a bucket is unavailable, and the error says what to install."""
    with pytest.raises(StoreUnavailableError, match="python -m pip install s3fs"):
        BucketStage("s3://bucket/folder").read("file")


def test_an_unknown_protocol_is_unavailable() -> None:
    """A URL that no driver knows is refused in words."""
    with pytest.raises(StoreUnavailableError, match="a URL that fsspec knows"):
        BucketStage("nonsense://bucket").list()


def test_a_url_without_folder_is_a_stage() -> None:
    """The root of a bucket may itself be the stage."""
    name = f"{uuid.uuid4().hex}.txt"
    stage = BucketStage("memory://")
    stage.write(name, b"x")
    assert name in [info.name for info in stage.list()]
    assert stage.uri(name) == f"memory://{name}"
    stage.delete(name)
    assert not stage.exists(name)
