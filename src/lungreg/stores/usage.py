"""Records of how long each call of a run took and on which compute, for its cost."""

from __future__ import annotations

import dataclasses
import json
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lungreg.errors import LungregError, StoreError
from lungreg.stores import Held, Stage
from lungreg.stores.names import RunNames

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Time and compute of one call of a run: the first one, or one that resumed it."""

    started_at: datetime
    """End of the call, UTC."""
    seconds: float
    """Wall time."""
    held: Held | None = None
    """Billed compute of the backend that was used; None for this machine."""

    @property
    def ended_at(self) -> datetime:
        """End of the call, UTC."""
        return self.started_at + timedelta(seconds=self.seconds)


@contextmanager
def timed(stage: Stage, run_id: str, held: Held | None = None) -> Iterator[None]:
    """Record the time of the block on the stage, also when it raises.

    A stage that fails here is logged and never stops the run; a killed process leaves no record.
    """
    started_at, started = datetime.now(UTC), time.perf_counter()
    try:
        yield
    finally:
        try:
            seconds = time.perf_counter() - started
            _write(stage, run_id, Usage(started_at=started_at, seconds=seconds, held=held))
        except LungregError as error:
            _log.warning("the time that the run took is not kept: %s", error.anonymous)


def read_usage(stage: Stage, run_id: str) -> list[Usage]:
    """All calls of a run that have ended, by time.

    Raises:
        StoreError: A record is damaged.
    """
    files = [file.name for file in stage.list(RunNames(run_id).usage)]
    found = [_parse(stage.read(name), name) for name in files]
    return sorted(found, key=lambda usage: usage.started_at)


def _write(stage: Stage, run_id: str, usage: Usage) -> None:
    record = {
        "started_at": usage.started_at.isoformat(),
        "seconds": usage.seconds,
        "held": None if usage.held is None else dataclasses.asdict(usage.held),
    }
    name = f"{usage.started_at:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    stage.write(RunNames(run_id).usage_record(name), json.dumps(record).encode())


def _parse(data: bytes, name: str) -> Usage:
    try:
        record = json.loads(data)
        started_at = datetime.fromisoformat(record["started_at"])
        held = record.get("held")
        return Usage(
            started_at=started_at,
            seconds=float(record["seconds"]),
            held=None if held is None else Held(**held),
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = "a record of usage holds started_at and seconds"
        mend = "delete the run's folder usage/; its cost is then counted from its rows"
        raise StoreError(msg, got=type(error).__name__, mend=mend, where=name) from error
