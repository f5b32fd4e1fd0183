"""A worker whose device is lost, as after an error of CUDA. Actors import it: it stays light."""

from __future__ import annotations

from typing import Any

from lungreg.distributed import worker
from lungreg.distributed.worker import Worker
from lungreg.records import Case, CaseResult


class LosingWorker(Worker):
    """The first worker loses its device at its second case, for good."""

    def register(self, case: Case, attempt: int) -> CaseResult:
        """Register a case, or fail as a lost device does."""
        self._cases = getattr(self, "_cases", 0) + 1
        if self._number == 1 and self._cases > 1:
            self._loaded = _refused, self._loaded[1]  # type: ignore[index]
            worker.answers = lambda _: False
        return super().register(case, attempt)


def _refused(*_: Any) -> Any:
    msg = "CUDA error: an illegal memory access was encountered"
    raise RuntimeError(msg)
