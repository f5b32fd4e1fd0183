"""The Snowpark sessions of this process, one for each thread that needs one."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.login import active_session, open_session
from lungreg.config import SnowflakeBackend

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass
class SessionPool:
    """Sessions of one configuration. The session of a thread that ended goes to another one."""

    settings: SnowflakeBackend
    _own: dict[threading.Thread, Session] = field(default_factory=dict)
    _foreign: Session | None = None
    """A session that somebody else opened and that therefore all threads share."""
    _lost: Session | None = None
    """A foreign session that failed: the next one is opened by the token or the connection."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Guards these fields, and the use of a foreign session."""

    @contextmanager
    def session(self) -> Iterator[Session]:
        """This thread's session; a foreign one is locked for other threads during the block."""
        with self._lock:
            foreign = self._foreign_session()
            if foreign is not None:
                yield foreign
                return
        yield self._own_session()

    def discard(self) -> None:
        """Close this thread's session and forget it."""
        with self._lock:
            session = self._own.pop(threading.current_thread(), None)
            self._lost, self._foreign = self._foreign or self._lost, None
        if session is not None:
            _close(session)

    def close(self) -> None:
        """Close all sessions that were opened here."""
        with self._lock:
            sessions = [*self._own.values()]
            self._own.clear()
            self._foreign = None
        for session in sessions:
            _close(session)

    @property
    def opened(self) -> list[Session]:
        """The sessions that were opened here and are not closed."""
        return [*self._own.values()]

    def _foreign_session(self) -> Session | None:
        """The active session, unless a connection is named or sessions were opened already."""
        if self._foreign is None and not self._own and self.settings.connection is None:
            active = active_session()
            self._foreign = None if active in (*_opened(), self._lost) else active
            if self._foreign is not None:
                _complete(self._foreign, self.settings)
        return self._foreign

    def _own_session(self) -> Session:
        thread = threading.current_thread()
        with self._lock:
            session = self._own.get(thread) or self._inherited()
        session = session or open_session(self.settings)
        _close_first_at_exit()
        with self._lock:
            self._own[thread] = session
        return session

    def _inherited(self) -> Session | None:
        ended = next((thread for thread in self._own if not thread.is_alive()), None)
        return None if ended is None else self._own.pop(ended)


def _complete(session: Session, settings: SnowflakeBackend) -> None:
    """Give a notebook's session the warehouse and the schema that it lacks.

    A notebook of a workspace starts without schema, and without warehouse where its user has no
    default one. Where the role may not use ours, the statement that needs it says so.
    """
    if session.get_current_warehouse() is None:
        with contextlib.suppress(Exception):
            session.use_warehouse(settings.warehouse)
    if session.get_current_schema() is None:
        with contextlib.suppress(Exception):
            session.use_schema(settings.utils)


def pool_of(settings: SnowflakeBackend) -> SessionPool:
    """The sessions of a configuration in this process; a forked child begins with none."""
    with _guard:
        return _pools.setdefault((os.getpid(), settings), SessionPool(settings))


def close_all() -> None:
    """Close every session that this process opened; the next use opens new ones."""
    with _guard:
        pools = [pool for (pid, _), pool in _pools.items() if pid == os.getpid()]
        _pools.clear()
    for pool in pools:
        pool.close()


_guard = threading.Lock()
_pools: dict[tuple[int, SnowflakeBackend], SessionPool] = {}


def _opened() -> list[Session]:
    with _guard:
        pools = [*_pools.values()]
    return [session for pool in pools for session in pool.opened]


def _close_first_at_exit() -> None:
    """Register `close_all` last at exit, so that it is called first.

    What Snowpark registers sends one more statement, and waits for an account that does not answer
    as long as a statement may take.
    """
    atexit.unregister(close_all)
    atexit.register(close_all)


def _close(session: Session) -> None:
    """Log out, without waiting long for a server that does not answer.

    Snowpark's own close first cancels running statements, which may take as long as a statement;
    where the connection is closed already it cancels nothing.
    """
    with contextlib.suppress(Exception):
        session.connection.close(retry=False)
    with contextlib.suppress(Exception):
        session.close()
