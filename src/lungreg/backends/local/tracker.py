"""MLflow as a `lungreg.stores.Tracker` of training curves."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.backends.local.partial import link_new, partial_beside
from lungreg.errors import LungregError
from lungreg.extras import of_extra
from lungreg.stores.tracker import flattened

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_logger = logging.getLogger(__name__)

_EXPERIMENT = "lungreg"
_RUN_TAG = "lungreg.run_id"
_MAX_KEY = 250
_MAX_PARAM = 6000
_MAX_TAG = 8000
_BATCH = 100
"""Limits of MLflow: characters of a key, a parameter and a tag, parameters of one call."""

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""Environment variables without which MLflow sends usage statistics from its import on."""


@dataclass
class MlflowTracker:
    """Curves in `ROOT/mlflow/mlflow.db`. Implements `lungreg.stores.Tracker`.

    MLflow is imported by the first call. The first call on a new root also makes the database,
    which takes some seconds. `mlflow ui --backend-store-uri sqlite:///ROOT/mlflow/mlflow.db` shows
    the curves.
    """

    root: Path
    """Folder of the local stage."""
    _warned: bool = field(default=False, init=False, repr=False, compare=False)

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Begin or continue a run; a known run only gets parameters that it has not yet."""
        with self._harmless():
            from mlflow.entities import Param

            client = self._client()
            run = _find_or_create(client, run_id, self._folder)
            client.update_run(run.info.run_id, status="RUNNING")
            flat = {k[:_MAX_KEY]: v[:_MAX_PARAM] for k, v in flattened(params).items()}
            new = [Param(key, flat[key]) for key in flat if key not in run.data.params]
            for first in range(0, len(new), _BATCH):
                client.log_batch(run.info.run_id, params=new[first : first + _BATCH])

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Add one point to each curve; `step` is the epoch."""
        with self._harmless():
            from mlflow.entities import Metric

            client = self._client()
            run = _find_or_create(client, run_id, self._folder)
            now_ms = int(time.time() * 1000)
            points = [Metric(key, float(value), now_ms, step) for key, value in metrics.items()]
            client.log_batch(run.info.run_id, metrics=points)

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """End a run: "finished" or "failed", with pointers such as the model version."""
        with self._harmless():
            from mlflow.entities import RunTag

            client = self._client()
            run = _find_or_create(client, run_id, self._folder)
            pointers = [RunTag(key, str(value)[:_MAX_TAG]) for key, value in tags.items()]
            client.log_batch(run.info.run_id, tags=pointers)
            client.set_terminated(run.info.run_id, status=status.upper())

    @property
    def _folder(self) -> Path:
        return Path(self.root).absolute() / "mlflow"

    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        database = self._folder / "mlflow.db"
        if not database.exists():
            _make_database(database)
        return MlflowClient(tracking_uri=_uri(database))

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Failures in the block are only logged, the first time, and do not stop the run."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        logger = logging.getLogger("mlflow")
        logger.setLevel(max(logger.level, logging.WARNING))  # MONAI may have imported it before
        try:
            with warnings.catch_warnings(), of_extra("train"):
                warnings.simplefilter("ignore")  # of MLflow's own parts, to MLflow
                yield
        except Exception as error:
            if not self._warned:
                why = f"the tracker failed with {type(error).__name__}"
                if isinstance(error, LungregError):
                    why = error.anonymous
                _logger.warning("training curves are not kept: %s", why)
            self._warned = True
            _logger.debug("the tracker failed", exc_info=True)


def _make_database(database: Path) -> None:
    """Make the database under a partial name: two processes at once would spoil it."""
    from mlflow import MlflowClient

    with partial_beside(database) as partial:
        MlflowClient(tracking_uri=_uri(partial))
        try:
            link_new(partial, database)
        except FileExistsError:
            return


def _uri(database: Path) -> str:
    return f"sqlite:///{database}"


def _find_or_create(client: MlflowClient, run_id: str, folder: Path) -> Run:
    experiment = _experiment_id(client, folder)
    query = f"tags.`{_RUN_TAG}` = '{run_id}'"
    found = client.search_runs([experiment], filter_string=query, max_results=1)
    if found:
        return found[0]
    return client.create_run(experiment, tags={_RUN_TAG: run_id}, run_name=run_id)


def _experiment_id(client: MlflowClient, folder: Path) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(_EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    artifacts = (folder / "artifacts").as_uri()
    try:
        return str(client.create_experiment(_EXPERIMENT, artifact_location=artifacts))
    except MlflowException:
        known = client.get_experiment_by_name(_EXPERIMENT)  # another process was faster
        if known is None:
            raise
        return str(known.experiment_id)
