"""The stores of one configuration together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lungreg.stores.account import Billing, Examiner, Provisioner
from lungreg.stores.jobs import JobRunner
from lungreg.stores.models import ModelRegistry
from lungreg.stores.results import ResultTable
from lungreg.stores.stage import Stage
from lungreg.stores.tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The stores that one configuration chose."""

    stage: Stage
    results: ResultTable
    models: ModelRegistry
    tracker: Tracker
    jobs: JobRunner | None = field(default=None)
    billing: Billing | None = field(default=None)
    provisioner: Provisioner | None = field(default=None)
    examiner: Examiner | None = field(default=None)
    label: Callable[[str | None, str], Backend] | None = field(default=None)
    """Makes `for_run` where the provider keeps a history of who asked for what."""

    def for_run(self, run_id: str | None, step: str) -> Backend:
        """The same stores, which tell the provider's history their run and step.

        Args:
            run_id: None where a step has no run.
            step: What is being done: ingest, train, infer, evaluate, ...
        """
        return self if self.label is None else self.label(run_id, step)
