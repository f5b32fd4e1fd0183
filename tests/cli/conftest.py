"""A site where infer has run, made once for all tests of the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lungreg.workflows.infer import infer
from tests.site import Site


@pytest.fixture(scope="session")
def _finished(_trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = Path(shutil.copytree(_trained, tmp_path_factory.mktemp("finished") / "site"))
    return folder, infer(Site(folder).config("infer.qc=true")).run_id


@pytest.fixture
def finished(_finished: tuple[Path, str], tmp_path: Path) -> tuple[Site, str]:
    """A copy of the site with a run of infer, and the run's id."""
    folder, run_id = _finished
    site = Site(Path(shutil.copytree(folder, tmp_path / "site")))
    (site.folder / "points.csv").write_text("x,y,z,label\n20,16,20,carina\n")
    return site, run_id
