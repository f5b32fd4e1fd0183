"""Open the local backend: its stores under one folder or URL."""

from __future__ import annotations

from lungreg.backends.local.bucket import BucketStage
from lungreg.backends.local.registry import StageModelRegistry
from lungreg.backends.local.results import ParquetResultTable
from lungreg.backends.local.stage import LocalStage
from lungreg.backends.local.tracker import MlflowTracker
from lungreg.config import LocalBackend
from lungreg.stores import Backend, Tracker
from lungreg.stores.tracker import NullTracker


def open_local(settings: LocalBackend) -> Backend:
    """The stores under a folder or URL; nothing is made and no connection is opened yet."""
    folder = settings.folder
    stage = BucketStage(settings.root) if folder is None else LocalStage(folder)
    return Backend(
        stage=stage,
        results=ParquetResultTable(stage),
        models=StageModelRegistry(stage),
        tracker=_tracker(stage, tracking=settings.tracking),
    )


def _tracker(stage: LocalStage | BucketStage, *, tracking: bool) -> Tracker:
    if tracking and isinstance(stage, LocalStage):
        return MlflowTracker(stage.root)
    return NullTracker()
