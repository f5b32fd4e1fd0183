"""Progress events that workflows pass to a callback, and what a stopped run reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lungreg.errors import RunError
from lungreg.stores.run_files import environment

_MINUTE_S = 60


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step forward of a workflow: what a callback `on_progress` is given.

    def log(event: lungreg.Progress) -> None:
        print(event.step, event.done, event.total, event.loss)

    lungreg.register(pair, "out", on_progress=log)
    """

    step: str
    """Name of the step: "download", "ingest", "train", "alignment", "level 2 of 5, 4 mm", ..."""
    done: int
    """Amount done so far, in `unit`."""
    total: int | None
    """Amount in all, in `unit`; None where it is not known."""
    note: str = ""
    """The latest result, for the console: it may name a case."""
    public: str = ""
    """The part of the note that is safe in a log that others read: it names no case."""
    unit: str = ""
    """Unit of `done` and `total`, such as "MB" or "epochs"; empty for cases."""
    loss: float | None = None
    """What is made smaller, where the step is an optimisation."""
    run_id: str = ""
    """Id of the run that begins with this event, or that is gone on with: from now on it can be
    resumed, whatever happens to this process. Empty in all other events."""

    @property
    def is_whole(self) -> bool:
        """Whether the step is one piece of work, of which no part can be told."""
        return self.total == 1 and not (self.unit or self.note)


OnProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Ignore the event: the default callback."""


@contextmanager
def one_step(on_progress: OnProgress, name: str) -> Iterator[None]:
    """Report a step of one piece, before and after it."""
    on_progress(Progress(step=name, done=0, total=1))
    yield
    on_progress(Progress(step=name, done=1, total=1))


def time_left(seconds: float) -> str:
    """The time that a count still takes, rounded: "40 s left", "3 min left", "2 h 5 min left"."""
    if seconds < _MINUTE_S:
        return f"{max(1, round(seconds))} s left"
    minutes = round(seconds / _MINUTE_S)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min left" if hours else f"{minutes} min left"


def stopped(run_id: str, command: str) -> RunError:
    """The error of a run that the user stopped."""
    msg = "the run was stopped; what is done is kept"
    return RunError(msg, mend=f"go on with 'lungreg {command} --resume {run_id}'")


def provenance(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts about the origin of a result and the package versions, for its page."""
    shown = {name: str(value) for name, value in facts.items()}
    versions = environment()
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    return {**shown, "made with": made_with}
