"""Snowflake's experiment tracking as a `lungreg.stores.Tracker` of training curves."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.connection.faults import is_lost
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import RunError
from lungreg.stores.tracker import flattened

if TYPE_CHECKING:
    from snowflake.ml.experiment import ExperimentTracking
    from snowflake.snowpark import Session

_logger = logging.getLogger(__name__)

_EXPERIMENT = "LUNGREG"
_END_OF_TEXT = re.compile(r"\$(?=\$)")
_MAX_PARAM = 2000
_MAX_PARTS = 100
"""How often one run may be finished and continued."""
_GIVE_UP_AFTER = 3
"""Failed calls in a row: a run must not wait for its tracker in each epoch."""


@dataclass
class SnowflakeTracker:
    """Curves in the experiment LUNGREG of the utils schema. Implements `lungreg.stores.Tracker`.

    Snowflake cannot continue a run that was finished: its later points are in further runs, NAME$P2
    and so on.
    """

    source: SessionSource
    _runs: dict[str, tuple[Session, ExperimentTracking]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Runs in progress by id, each with the session that it was opened on."""
    _warned: bool = field(default=False, init=False, repr=False, compare=False)
    _failures: int = field(default=0, init=False, repr=False, compare=False)
    """Calls that failed since the last success."""

    def __reduce__(self) -> tuple[type[SnowflakeTracker], tuple[SessionSource]]:
        return type(self), (self.source,)

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Begin or continue a run; an unfinished one keeps its first settings."""
        self._harmless(run_id, lambda run: _add_params(run, params))

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Add one point to each curve; NaN and infinity are left out, since JSON has neither."""
        points = {key: float(value) for key, value in metrics.items() if math.isfinite(value)}
        if points:
            self._harmless(run_id, lambda run: run.log_metrics(points, step=step))

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """End a run as "finished" or "failed"; tags such as the model version become settings."""

        def end(run: ExperimentTracking) -> None:
            if tags:
                _add_params(run, tags)
            run.end_run(status=status.upper())
            self._runs.pop(run_id)

        self._harmless(run_id, end)

    def _harmless(self, run_id: str, work: Callable[[ExperimentTracking], None]) -> None:
        """Do some work; a failure is only logged, the first time, and does not stop the run."""
        if self._failures >= _GIVE_UP_AFTER:
            return
        try:
            # The library prints addresses, also on output that a program reads.
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with self.source.use() as session:
                    work(self._run(session, run_id))
            self._failures = 0
        except Exception as error:
            self._failures += 1
            self._runs.pop(run_id, None)
            if is_lost(error):
                self.source.discard()
            if not self._warned:
                kind = type(error).__name__
                _logger.warning("training curves are not kept: the tracker failed with %s", kind)
            self._warned = True
            _logger.debug("the tracker failed", exc_info=True)

    def _run(self, session: Session, run_id: str) -> ExperimentTracking:
        known, run = self._runs.get(run_id, (None, None))
        if run is None or known is not session:
            run = _open_run(session, self.source.settings, run_id)
            self._runs[run_id] = session, run
        return run


def _open_run(session: Session, settings: SnowflakeBackend, run_id: str) -> ExperimentTracking:
    """Open the run by its id, or by that of its first part that is not finished."""
    tracking = _tracking(session, settings)
    tracking.set_experiment(_EXPERIMENT)
    # Runs are looked up with LIKE, where an underscore would stand for any character.
    name = re.sub(r"[^0-9A-Za-z]+", "$", run_id).upper()
    for part in range(1, _MAX_PARTS + 1):
        try:
            tracking.start_run(name if part == 1 else f"{name}$P{part}")
        except RuntimeError:  # it is finished
            continue
        return tracking
    msg = f"a run is gone on with at most {_MAX_PARTS} times"
    raise RunError(msg, got="more")


def _tracking(session: Session, settings: SnowflakeBackend) -> ExperimentTracking:
    """A new ExperimentTracking: the class itself makes one per process, for its first session."""
    from snowflake.ml.experiment import ExperimentTracking

    kind: Any = ExperimentTracking
    tracking: ExperimentTracking = object.__new__(kind)
    kind.__init__(
        tracking,
        session,
        database_name=settings.database,
        schema_name=settings.utils_schema,
        capture_source_info=False,  # paths and addresses of repositories
    )
    return tracking


def _add_params(run: ExperimentTracking, params: Mapping[str, Any]) -> None:
    from snowflake.snowpark.exceptions import SnowparkSQLException

    try:
        run.log_params({key: _text(value) for key, value in flattened(params).items()})
    except SnowparkSQLException as error:
        if is_lost(error):
            raise
        _logger.debug("settings that a run has already stay as they are", exc_info=True)


def _text(value: str) -> str:
    """A setting without $$, which would end the text in a statement."""
    return _END_OF_TEXT.sub("$ ", value[:_MAX_PARAM])
