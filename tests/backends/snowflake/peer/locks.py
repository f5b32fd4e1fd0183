"""Writers wait for each other, as Snowflake's do; DuckDB would refuse the second instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.backends.snowflake.peer.statement import SqlError

_POLL_S = 0.002
_IDLE_S = 3.0
"""A transaction whose session was silent for so long is rolled back, as is an abandoned one."""


class WriteLock:
    """One lock for all tables: held by a session for a statement, or until its transaction ends."""

    def __init__(self, rollback: Callable[[str], None]) -> None:
        self._rollback = rollback
        self._holder: str | None = None
        self._heard = 0.0
        self._open: set[str] = set()

    def heard(self, session: str) -> None:
        """Note that a session lives."""
        if session == self._holder:
            self._heard = time.monotonic()

    def begin(self, session: str) -> None:
        """The session opens a transaction; it holds nothing yet."""
        self._open.add(session)

    async def acquire(self, session: str) -> None:
        """Wait until the session may write."""
        give_up = time.monotonic() + 30
        while self._holder not in (None, session):
            if time.monotonic() - self._heard > _IDLE_S:
                self.end(self._holder, rollback=True)
            elif time.monotonic() > give_up:
                raise SqlError(625, "57014", "Statement waited for a lock for too long.")
            await asyncio.sleep(_POLL_S)
        self._holder, self._heard = session, time.monotonic()

    def statement_done(self, session: str) -> None:
        """Release what a statement outside a transaction held."""
        if session not in self._open and self._holder == session:
            self._holder = None

    def end(self, session: str | None, *, rollback: bool = False) -> None:
        """The session's transaction is over, or the session is."""
        if session is None:
            return
        if rollback and session in self._open:
            self._rollback(session)
        self._open.discard(session)
        if self._holder == session:
            self._holder = None
