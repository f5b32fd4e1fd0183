"""The one line that chooses a backend, and what the local one consists of."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from lungreg.backends import open_backend
from lungreg.backends.local.bucket import BucketStage
from lungreg.backends.local.stage import LocalStage
from lungreg.backends.local.tracker import MlflowTracker
from lungreg.config import LocalBackend
from lungreg.stores import Backend
from lungreg.stores.tracker import NullTracker
from tests.contracts.models import CARD
from tests.contracts.results import FULL


def test_a_folder_gets_all_stores(tmp_path: Path) -> None:
    """Files, rows and models of a folder lie under it, curves too; nothing is made by opening."""
    backend = open_backend(LocalBackend(root=str(tmp_path / "data")))
    assert isinstance(backend, Backend)
    assert backend.stage == LocalStage(tmp_path / "data")
    assert backend.tracker == MlflowTracker(tmp_path / "data")
    assert backend.jobs is None
    assert not (tmp_path / "data").exists()
    backend.results.write([FULL])
    backend.models.add(CARD, b"x")
    assert {info.name.split("/")[0] for info in backend.stage.list()} == {"models", "runs"}


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    """file:// is the folder itself, percent signs decoded."""
    root = tmp_path / "with space"
    assert open_backend(LocalBackend(root=root.as_uri())).stage == LocalStage(root)


def test_a_url_is_a_bucket_without_curves() -> None:
    """MLflow's SQLite file needs a file system: a bucket keeps no curves."""
    backend = open_backend(LocalBackend(root="memory://bucket/lungreg"))
    assert backend.stage == BucketStage("memory://bucket/lungreg")
    assert backend.tracker == NullTracker()


def test_tracking_can_be_off(tmp_path: Path) -> None:
    """`tracking: false` leaves MLflow out."""
    backend = open_backend(LocalBackend(root=str(tmp_path), tracking=False))
    assert backend.tracker == NullTracker()


@pytest.mark.parametrize("root", ["memory://bucket", "./here"])
def test_a_backend_is_picklable(root: str) -> None:
    """Stores travel to workers as their settings."""
    backend = open_backend(LocalBackend(root=root))
    assert pickle.loads(pickle.dumps(backend)) == backend
