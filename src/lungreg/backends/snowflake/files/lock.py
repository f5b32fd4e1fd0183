"""A lock with a lease, kept as files on the stage.

A stage cannot create a file exclusively, but LIST shows every file that was written before it
began. So each process writes a file of its own, then lists those of the others: of two that try at
once, at least one sees the other's file and gives way. The times in the listing are the server's.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import LungregError, StoreError

_CONTENT = b"locked\n"
_PAUSES_S = (0.2, 0.8)
"""Shortest and longest between two attempts: by chance, so that two processes do not keep pace."""


@dataclass(frozen=True)
class StageLock:
    """A lock that one process at a time can take.

    It is renewed until that process releases it. The lock of a process that was killed is free
    again when its file is older than the lease.
    """

    stage: SnowflakeStage
    prefix: str
    """What names of the lock's files begin with; each process adds something of its own."""
    lease_s: float = field(kw_only=True)
    """Seconds after which a file that is not renewed no longer counts."""
    patience_s: float = field(kw_only=True)
    """Seconds to wait for another process."""

    @contextmanager
    def acquired(self, refusal: LungregError) -> Iterator[None]:
        """Take the lock, run the block, release the lock.

        Args:
            refusal: What to raise where another process keeps the lock for too long.

        Raises:
            StoreUnavailableError: The account does not answer, or forbids it.
        """
        name = f"{self.prefix}{uuid.uuid4().hex}"
        give_up = time.monotonic() + self.patience_s
        while not self._try(name):
            if time.monotonic() > give_up:
                raise refusal
            time.sleep(random.uniform(*_PAUSES_S))
        ended = threading.Event()
        threading.Thread(target=self._renew, args=(name, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(StoreError):  # what stays there runs out
                self.stage.delete(name)

    def _try(self, name: str) -> bool:
        """Write this process's file; it is removed again where another one counts."""
        is_alone = False
        try:
            self.stage.write(name, _CONTENT)
            is_alone = self._is_alone(name)
        finally:
            if not is_alone:
                self.stage.delete(name)
        return is_alone

    def _is_alone(self, name: str) -> bool:
        """Whether no other file counts; those that have run out are removed then."""
        others = self.stage.written_at(self.prefix)
        own = others.pop(name, None)
        lease = timedelta(seconds=self.lease_s)
        if own is None or any(own - written < lease for written in others.values()):
            return False
        for other in others:
            self.stage.delete(other)
        return True

    def _renew(self, name: str, ended: threading.Event) -> None:
        """Run in a thread of its own, since a statement of the block may take very long."""
        while not ended.wait(self.lease_s / 4):
            with suppress(LungregError):  # there is time to try again
                self.stage.write(name, _CONTENT)
                if ended.is_set():  # the block has ended during the write
                    self.stage.delete(name)
