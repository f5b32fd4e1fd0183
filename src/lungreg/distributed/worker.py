"""One process that registers cases, alone or as a Ray actor."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import torch

from lungreg.config import Infer
from lungreg.devices import (
    answers,
    choose_device,
    give_back_gpu_memory,
    keep_freed_memory,
    use_threads,
    worker_name,
)
from lungreg.distributed.lean_monai import import_lean_monai
from lungreg.distributed.pool_size import Place
from lungreg.errors import ResourceError
from lungreg.records import Case, CaseResult, RegistrationJob
from lungreg.registration.case import (
    OUT_OF_MEMORY,
    Attempt,
    Render,
    describe,
    failed_result,
    register_case,
)
from lungreg.registration.model_free import model_free_estimate
from lungreg.registration.pair import Estimate
from lungreg.stores import ModelRegistry, Stage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferJob:
    """What each worker receives once, when it starts."""

    registration: RegistrationJob
    stage: Stage
    models: ModelRegistry
    render: Render | None
    """Draws qc.html; None for no page."""

    @property
    def settings(self) -> Infer:
        """How the cohort is registered."""
        return self.registration.config.infer


class Worker:
    """One process that registers cases with one loaded model, or without one.

    Calls of `register` may overlap: one case is computed at a time, while others are read and
    written.

    Args:
        job: What it does.
        place: Where it computes.
        number: Of this worker, from 1 on.
        alone: Whether nothing but it runs in its process, as in a Ray actor.
    """

    def __init__(self, job: InferJob, place: Place, *, number: int, alone: bool = False) -> None:
        self._job = job
        self._place = place
        self._number = number
        self._alone = alone
        self._loaded: tuple[Estimate, torch.device] | None = None
        self._name = ""
        self._turn = threading.Lock()

    def load(self) -> None:
        """Load the model, where the run has one.

        Raises:
            ModelError: The stored model does not fit its card.
        """
        use_threads(self._place.threads)
        if self._alone and self._job.registration.config.refine.preset != "best":
            keep_freed_memory()
        on_gpu = self._place.on_gpu
        name = self._job.settings.device if on_gpu is None else ("cuda" if on_gpu else "cpu")
        device = choose_device(name)
        self._name = worker_name(device, self._number)
        self._loaded = self._estimate(device), device

    def _estimate(self, device: torch.device) -> Estimate:
        config, card = self._job.registration.config, self._job.registration.card
        processes = self._place.processes
        if card is None:
            return model_free_estimate(config.refine, device, seed=config.seed, processes=processes)
        # Only with a model: MONAI takes seconds to import, and may not be installed.
        if self._alone:
            import_lean_monai()
        from lungreg.learning.stored_model import run_estimate

        return run_estimate(config, self._job.models.weights(card), device, processes=processes)

    def register(self, case: Case, attempt: int) -> CaseResult:
        """Register one case; a fault becomes a failed result.

        Raises:
            ResourceError: The device answers no more: another process must go on.
        """
        row = self._register(case, attempt)
        if row.error_code == OUT_OF_MEMORY:
            # Only now: until its error is gone, the arrays of the case are in use.
            self.give_back_memory()
        return row

    def give_back_memory(self) -> None:
        """Leave to the others on this GPU what no case here needs now."""
        give_back_gpu_memory()

    def _register(self, case: Case, attempt: int) -> CaseResult:
        if self._loaded is None:
            self.load()
        estimate, device = self._loaded  # type: ignore[misc]  # load() has set it
        started = datetime.now(UTC)
        try:
            return register_case(
                self._job.stage,
                case,
                estimate,
                self._job.registration,
                device=device,
                render=self._job.render,
                attempt=Attempt(number=attempt, worker=self._name, turn=self._turn),
            )
        except Exception as error:  # noqa: BLE001  # one case never stops the others
            _log.debug("case failed", exc_info=True)
            if self._alone and not answers(device):
                msg = "the device of a worker answers"
                raise ResourceError(msg, got=type(error).__name__) from None
            code, message = describe(error)
            return failed_result(
                self._job.registration,
                case,
                code=code,
                message=message,
                attempt=attempt,
                worker=self._name,
                started_at=started,
            )
