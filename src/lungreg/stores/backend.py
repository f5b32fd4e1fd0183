"""The Backend: all stores of one configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lungreg.stores.account import Billing, Examiner, Provisioner
from lungreg.stores.incoming import Incoming
from lungreg.stores.jobs import JobRunner
from lungreg.stores.models import ModelRegistry
from lungreg.stores.results import ResultTable
from lungreg.stores.schedules import Scheduler
from lungreg.stores.stage import Stage
from lungreg.stores.tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class Backend:
    """All stores of one configuration; None for those that the backend does not have."""

    stage: Stage
    results: ResultTable
    models: ModelRegistry
    tracker: Tracker
    incoming: Incoming | None = field(default=None)
    jobs: JobRunner | None = field(default=None)
    schedules: Scheduler | None = field(default=None)
    billing: Billing | None = field(default=None)
    provisioner: Provisioner | None = field(default=None)
    examiner: Examiner | None = field(default=None)
    refresh: Callable[[], None] | None = field(default=None)
    """Lets the provider's own list of files know what a step has written; raises nothing."""
    label: Callable[[str | None, str], Backend] | None = field(default=None)
    """Makes the stores of `for_run`; None where the provider has no history of statements."""

    def note_files(self) -> None:
        """Called at the end of a step that wrote files, so that the provider's lists show them."""
        if self.refresh is not None:
            self.refresh()

    def for_run(self, run_id: str | None, step: str) -> Backend:
        """The same stores, with run and step in the provider's history of statements.

        Args:
            run_id: None where a step has no run.
            step: Such as ingest, train, infer or evaluate.
        """
        return self if self.label is None else self.label(run_id, step)
