"""A tiny cohort, ingested and trained on once; every test gets a copy of its own.

Test processes side by side share it: the first that needs a folder makes it, the others wait.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest
import yaml

from lungreg.stores.run_files import History
from tests.site import CASES, SETTINGS, Site, destroy_started


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six simulated pairs in the Zenodo layout and a configuration beside them."""
    from lungreg.sources.simulation import simulate_cohort

    def make(folder: Path) -> None:
        simulate_cohort(
            folder / "training",
            cases=len(CASES),
            seed=5,
            shape=(40, 34, 40),
            spacing_mm=(7.5, 7.5, 7.2),
        )
        shutil.rmtree(folder / "training" / "displacements")
        (folder / "lungreg.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False))

    return _made_once("cohort", tmp_path_factory, make)


@pytest.fixture(scope="session")
def _ingested(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lungreg.workflows.ingest import ingest

    def make(folder: Path) -> None:
        ingest(Site(_copy(cohort, folder)).config())

    return _made_once("ingested", tmp_path_factory, make)


@pytest.fixture(scope="session")
def _trained(_ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lungreg.workflows.train import train

    def make(folder: Path) -> None:
        train(Site(_copy(_ingested, folder)).config())

    return _made_once("trained", tmp_path_factory, make)


@pytest.fixture(scope="session")
def three_epochs(_ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> History:
    """The metrics of three epochs without Ray and without a stop: what all others must come to."""
    from lungreg.workflows.train import train

    folder = _copy(_ingested, tmp_path_factory.mktemp("three") / "site")
    return train(Site(folder).config("train.epochs=3")).history


@pytest.fixture
def raw(cohort: Path, tmp_path: Path) -> Site:
    """Files and a configuration; the stage is empty."""
    return Site(_copy(cohort, tmp_path / "site"))


@pytest.fixture
def ingested(_ingested: Path, tmp_path: Path) -> Site:
    """A stage with the cases."""
    return Site(_copy(_ingested, tmp_path / "site"))


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> Site:
    """A stage with the cases and a trained model in the registry."""
    return Site(_copy(_trained, tmp_path / "site"))


@pytest.fixture(autouse=True)
def _no_command_left() -> Iterator[None]:
    yield
    destroy_started()


def _made_once(name: str, folders: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """A folder of the whole session, made by whichever of its processes needs it first.

    Args:
        name: Of the folder.
        folders: Temporary folders of this process.
        make: Makes the folder that it is given, which is moved to its place once it is whole.
    """
    own = folders.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    made = shared / name
    with filelock.FileLock(shared / f"{name}.lock"):
        if not made.exists():
            unfinished = folders.mktemp(name) / name
            make(unfinished)
            unfinished.rename(made)
    return made


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))
