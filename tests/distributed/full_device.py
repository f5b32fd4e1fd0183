"""Workers whose device is full at times. Actors import it: it stays light."""

from __future__ import annotations

from typing import Any

import torch

from lungreg.distributed.worker import Worker
from lungreg.records import Case, CaseResult
from tests.site import CASES

ONCE, EVER = CASES[1:3]
"""Cases for which memory does not suffice: in their first attempt, and in every one."""


class FullWorker(Worker):
    """Lacks memory for two cases."""

    def register(self, case: Case, attempt: int) -> CaseResult:
        """Register a case, or fail as on a full device."""
        if self._loaded is None:
            self.load()
        sound = self._loaded
        if case.case_id == EVER or (case.case_id == ONCE and attempt == 1):
            self._loaded = _full, sound[1]  # type: ignore[index]
        try:
            return super().register(case, attempt)
        finally:
            self._loaded = sound


def _full(*_: Any) -> Any:
    msg = "CUDA out of memory"
    raise torch.OutOfMemoryError(msg)
