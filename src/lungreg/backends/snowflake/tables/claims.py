"""Who may do something alone: claims in a table, for what a stage cannot do by itself.

A stage has no exclusive put, and a table enforces no key. Two claimants are kept apart by a row
that each of them updates first in its transaction: the second waits there until the first has
committed, and then sees its claim, since every statement reads what is committed when it begins.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import is_missing
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import LungregError, StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session

_log = logging.getLogger(__name__)
_LOCK = "lock"
"""Key of the row that claimants update first."""
_PATIENCE_S = 600
"""How long another holder is waited for."""
_QUIET_S = 5
"""Waited without a word."""
_POLL_S = 0.1
_NOW = "DATE_PART(EPOCH_SECOND, CURRENT_TIMESTAMP())"
"""By the server's clock: those of claimants may differ."""
_TAKE_LOCK = "UPDATE {table} SET EXPIRES_AT = EXPIRES_AT + 1 WHERE CLAIM_KEY = ?"
_LOOK = "SELECT OWNER FROM {table} WHERE CLAIM_KEY = ? AND EXPIRES_AT > {now}"
_CLAIM = "INSERT INTO {table} (CLAIM_KEY, OWNER, EXPIRES_AT) SELECT ?, ?, {now} + ?"
_RENEW = "UPDATE {table} SET EXPIRES_AT = {now} + ? WHERE CLAIM_KEY = ? AND OWNER = ?"
_RELEASE = "DELETE FROM {table} WHERE CLAIM_KEY = ? AND OWNER = ?"


def claim_table(settings: SnowflakeBackend) -> str:
    """Full name of the table."""
    return f"{settings.results}.CLAIMS"


def create_claim_table(settings: SnowflakeBackend) -> str:
    """The statement that makes the table, if it is not there."""
    columns = "CLAIM_KEY VARCHAR NOT NULL, OWNER VARCHAR NOT NULL, EXPIRES_AT NUMBER NOT NULL"
    return f"CREATE TABLE IF NOT EXISTS {claim_table(settings)} ({columns})"


def key_of(name: str) -> str:
    """How a name stands in the table."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Claims:
    """Claims on names. A name stands in the table as its SHA-256, for it may tell of a patient."""

    source: SessionSource

    @contextmanager
    def held(
        self,
        name: str,
        *,
        lease_s: int | None = None,
        patience_s: float = _PATIENCE_S,
        taken: LungregError | None = None,
    ) -> Iterator[None]:
        """Hold the claim on a name, which is renewed meanwhile; another holder is waited for.

        Args:
            name: What to have alone.
            lease_s: Seconds after which a claim that is not renewed, since its holder died, counts
                no longer; None for longer than two statements may take.
            patience_s: Seconds to wait for another holder.
            taken: What to raise where that was not enough.

        Raises:
            StoreUnavailableError: The claim was not to be had, unless `taken` says otherwise.
        """
        key, owner = key_of(name), uuid.uuid4().hex
        lease_s = lease_s or 2 * self.source.settings.timeout_s + 60
        self._acquire(key, owner, lease_s, patience_s, taken or _never_released())
        over = threading.Event()
        threading.Thread(target=self._renew, args=(key, owner, lease_s, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            with suppress(StoreError):  # what is not released runs out
                self._do(_RELEASE, key, owner)

    def _acquire(
        self, key: str, owner: str, lease_s: int, patience_s: float, taken: LungregError
    ) -> None:
        started = time.monotonic()
        is_told = False
        while not self._claimed(key, owner, lease_s):
            waited_s = time.monotonic() - started
            if waited_s > patience_s:
                raise taken
            if waited_s > _QUIET_S and not is_told:
                _log.info("waiting for another process, up to %.0f s", patience_s)
                is_told = True
            time.sleep(_POLL_S)

    def _renew(self, key: str, owner: str, lease_s: int, over: threading.Event) -> None:
        """A thread of its own does this: the other one may wait for a statement for very long."""
        while not over.wait(lease_s / 4):
            with suppress(LungregError):  # there is time to try again
                self._do(_RENEW, lease_s, key, owner)

    def _claimed(self, key: str, owner: str, lease_s: int) -> bool:
        """Whether the claim is this owner's now; the table comes into being on first use."""
        try:
            return self.source.attempt(lambda session: self._claim(session, key, owner, lease_s))
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
        self.source.run(create_claim_table(self.source.settings))
        return False

    def _claim(self, session: Session, key: str, owner: str, lease_s: int) -> bool:
        session.sql("BEGIN TRANSACTION").collect()
        try:
            is_ours = self._alone(session, key, owner, lease_s)
            session.sql("COMMIT").collect()
        except Exception:
            with suppress(Exception):  # a lost session is rolled back by the server
                session.sql("ROLLBACK").collect()
            raise
        return is_ours

    def _alone(self, session: Session, key: str, owner: str, lease_s: int) -> bool:
        """Claim the key unless somebody else has it; a lock row that is missing is put there."""
        (counted,) = self._run(session, _TAKE_LOCK, _LOCK)
        if counted[0] == 0:
            self._run(session, _CLAIM, _LOCK, "", 0)
            return False
        # An owner that lost the connection while it committed finds its own claim here.
        holders = {row[0] for row in self._run(session, _LOOK, key)}
        if not holders:
            self._run(session, _CLAIM, key, owner, lease_s)
        return holders in (set(), {owner})

    def _run(self, session: Session, sql: str, *binds: object) -> list[Row]:
        table = claim_table(self.source.settings)
        rows: list[Row] = session.sql(sql.format(table=table, now=_NOW), params=[*binds]).collect()
        return rows

    def _do(self, sql: str, *binds: object) -> None:
        self.source.attempt(lambda session: self._run(session, sql, *binds))


def _never_released() -> StoreUnavailableError:
    msg = "a claim on a name is released in time"
    return StoreUnavailableError(msg, mend="look into the table CLAIMS")
