"""Files that others have put on a stage of their own for ingest."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from lungreg.errors import ConfigError, UnsafeInputError
from lungreg.records import Verdict
from lungreg.stores import Backend, Incoming
from lungreg.stores.manifest import read_manifest
from lungreg.workflows.ingest import ingest
from tests.site import CASES, Site

OURS = ("ingest.source=incoming",)


class FolderOfOthers:
    """A local folder as an `Incoming`, which notes what is fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []
        self.extra: list[str] = []

    def paths(self) -> Sequence[str]:
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        return [*(file.relative_to(self.folder).as_posix() for file in files), *self.extra]

    def fetch(self, path: str, file: Path) -> None:
        self.fetched.append(path)
        shutil.copyfile(self.folder / path, file)


@pytest.fixture
def others(raw: Site) -> FolderOfOthers:
    """What others have put in: of the last case one scan only."""
    others = FolderOfOthers(raw.folder / "training")
    (others.folder / "scans" / f"{CASES[-1]}_insp.nii.gz").rename(raw.folder / "late.nii.gz")
    return others


def backend_of(site: Site, others: FolderOfOthers) -> Backend:
    return dataclasses.replace(site.backend(), incoming=others)


def test_only_what_is_new_is_fetched(raw: Site, others: FolderOfOthers) -> None:
    """A case that was rejected for want of a scan is new once it has come; the rest is left."""
    assert isinstance(others, Incoming)
    backend, config = backend_of(raw, others), raw.config(*OURS)
    first = ingest(config, backend=backend)
    assert len(first.rows) == len(CASES)
    assert [row.case_id for row in first.rejected] == [CASES[-1]]
    others.fetched.clear()
    (raw.folder / "late.nii.gz").rename(others.folder / "scans" / f"{CASES[-1]}_insp.nii.gz")
    second = ingest(config, backend=backend)
    assert [row.case_id for row in second.rows] == [CASES[-1]]
    assert all(CASES[-1] in path for path in others.fetched)
    assert {row.verdict for row in read_manifest(backend.stage)} == {Verdict.PASS}
    others.fetched.clear()
    third = ingest(config, backend=backend)
    assert (third.rows, third.uploaded, others.fetched) == ([], 0, [])


def test_what_cannot_be_told_apart_by_names_is_refused(raw: Site, others: FolderOfOthers) -> None:
    """Neither a layout that is written in a file, nor a path that leaves its folder."""
    others.extra = ["../scans/x_exp.nii.gz"]
    with pytest.raises(UnsafeInputError):
        ingest(raw.config(*OURS), backend=backend_of(raw, others))
    with pytest.raises(ConfigError, match="learn2reg"):
        ingest(raw.config(*OURS, "ingest.layout=learn2reg"), backend=backend_of(raw, others))
    with pytest.raises(ConfigError, match="kind: local"):
        ingest(raw.config(*OURS))
    assert others.fetched == []
