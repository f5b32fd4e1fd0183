"""A tiny cohort, ingested and trained on once; every test gets a copy of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lungreg.stores.run_files import History
from tests.site import CASES, SETTINGS, Site, destroy_started


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six simulated pairs in the Zenodo layout and a configuration beside them."""
    from lungreg.sources.simulation import simulate_cohort

    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(
        folder / "training",
        cases=len(CASES),
        seed=5,
        shape=(40, 34, 40),
        spacing_mm=(7.5, 7.5, 7.2),
    )
    shutil.rmtree(folder / "training" / "displacements")
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def _ingested(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lungreg.workflows.ingest import ingest

    folder = _copy(cohort, tmp_path_factory.mktemp("ingested") / "site")
    ingest(Site(folder).config())
    return folder


@pytest.fixture(scope="session")
def _trained(_ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from lungreg.workflows.train import train

    folder = _copy(_ingested, tmp_path_factory.mktemp("trained") / "site")
    train(Site(folder).config())
    return folder


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


def _copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))
