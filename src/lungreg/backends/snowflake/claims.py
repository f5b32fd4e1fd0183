"""Who may do something alone: claims in a table, for what a stage cannot do by itself.

A stage has no exclusive put, and a table enforces no key. Two claimants are kept apart by a row
that each of them updates first in its transaction: the second waits there until the first has
committed, and then sees its claim, since every statement reads what is committed when it begins.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.faults import is_missing
from lungreg.backends.snowflake.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session

_LOCK = "lock"
"""Key of the row that claimants update first."""
_LEASE_S = 300
"""A claim this old was left by a process that died."""
_POLL_S = 0.1
_TAKE_LOCK = "UPDATE {table} SET CLAIMED_AT = CLAIMED_AT + 1 WHERE CLAIM_KEY = ?"
_LOOK = "SELECT OWNER, CLAIMED_AT FROM {table} WHERE CLAIM_KEY = ?"
_CLAIM = "INSERT INTO {table} (CLAIM_KEY, OWNER, CLAIMED_AT) VALUES (?, ?, ?)"
_RELEASE = "DELETE FROM {table} WHERE CLAIM_KEY = ? AND OWNER = ?"


def claim_table(settings: SnowflakeBackend) -> str:
    """Full name of the table."""
    return f"{settings.database}.{settings.results_schema}.CLAIMS"


def create_claim_table(settings: SnowflakeBackend) -> str:
    """The statement that makes the table, if it is not there."""
    columns = "CLAIM_KEY VARCHAR NOT NULL, OWNER VARCHAR NOT NULL, CLAIMED_AT NUMBER NOT NULL"
    return f"CREATE TABLE IF NOT EXISTS {claim_table(settings)} ({columns})"


def key_of(name: str) -> str:
    """How a name stands in the table."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Claims:
    """Claims on names. A name stands in the table as its SHA-256, for it may tell of a patient."""

    source: SessionSource

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold the claim on a name; another holder is waited for.

        Raises:
            StoreUnavailableError: The claim was not to be had.
        """
        key, owner = key_of(name), uuid.uuid4().hex
        self._acquire(key, owner)
        try:
            yield
        finally:
            with suppress(StoreError):  # what is not released runs out
                self._release(key, owner)

    def _acquire(self, key: str, owner: str) -> None:
        deadline = time.monotonic() + 2 * _LEASE_S
        while not self._claimed(key, owner):
            if time.monotonic() > deadline:
                msg = "a claim on a name is released in time"
                raise StoreUnavailableError(msg, mend="look into the table CLAIMS")
            time.sleep(_POLL_S)

    def _claimed(self, key: str, owner: str) -> bool:
        """Whether the claim is this owner's now; the table comes into being on first use."""
        try:
            return self.source.attempt(lambda session: self._claim(session, key, owner))
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
        self.source.run(create_claim_table(self.source.settings))
        return False

    def _claim(self, session: Session, key: str, owner: str) -> bool:
        session.sql("BEGIN TRANSACTION").collect()
        try:
            is_ours = self._alone(session, key, owner)
            session.sql("COMMIT").collect()
        except Exception:
            with suppress(Exception):  # a lost session is rolled back by the server
                session.sql("ROLLBACK").collect()
            raise
        return is_ours

    def _alone(self, session: Session, key: str, owner: str) -> bool:
        """Claim the key unless somebody else has it; a lock row that is missing is put there."""
        (counted,) = self._run(session, _TAKE_LOCK, _LOCK)
        if counted[0] == 0:
            self._run(session, _CLAIM, _LOCK, "", 0)
            return False
        now = time.time()
        found = self._run(session, _LOOK, key)
        # An owner that lost the connection while it committed finds its own claim here.
        holders = {row[0] for row in found if now - int(row[1]) < _LEASE_S}
        if not holders:
            self._run(session, _CLAIM, key, owner, int(now))
        return holders in (set(), {owner})

    def _run(self, session: Session, sql: str, *binds: object) -> list[Row]:
        table = claim_table(self.source.settings)
        rows: list[Row] = session.sql(sql.format(table=table), params=[*binds]).collect()
        return rows

    def _release(self, key: str, owner: str) -> None:
        self.source.attempt(lambda session: self._run(session, _RELEASE, key, owner))
