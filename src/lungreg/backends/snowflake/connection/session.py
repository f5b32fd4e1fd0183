"""The SessionSource, from which all stores get their Snowpark session.

Tests reach the peer the official way: `backend.connection` names a connection, which the
environment variable `SNOWFLAKE_CONNECTIONS` (TOML, read by the connector itself) describes. Child
processes inherit it.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lungreg.backends.snowflake.connection.faults import is_lost, translated
from lungreg.backends.snowflake.connection.pool import pool_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreUnavailableError

if TYPE_CHECKING:
    from snowflake.snowpark import Row, Session

logger = logging.getLogger(__name__)

PAUSES_S = (0.2, 1.0, 4.0)
"""Seconds between attempts, of which there is one more than pauses."""
RUN_ID = re.compile(r"(?:train|infer)-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
"""The form of a run's id, which may be shown where others read it."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class SessionSource:
    """Sessions for one configuration. Picklable: a copy opens its own in another process.

    Each thread has its own session, since one of Snowpark has one cursor and one transaction. The
    active session of a notebook or job is used instead where there is one, by one thread at a time.
    """

    settings: SnowflakeBackend
    run_id: str | None = None
    """For the query history: the run that a statement belongs to."""
    step: str | None = None
    """For the query history: the step, such as ingest, train, infer or evaluate."""

    @property
    def query_tag(self) -> str:
        """JSON for the query history: application, run and step, never a case.

        A run that is not of the form of an id, such as a path that a person typed, is left out.
        """
        is_run = self.run_id is not None and RUN_ID.fullmatch(self.run_id)
        tag = {"app": "lungreg", "run": self.run_id if is_run else None, "step": self.step}
        return json.dumps({key: value for key, value in tag.items() if value is not None})

    @contextmanager
    def use(self) -> Iterator[Session]:
        """This thread's session, opened on first use; no other thread uses it meanwhile.

        Raises:
            StoreUnavailableError: No session can be opened, or it fails in the block.
            StoreError: Snowflake refuses something else in the block.
        """
        with translated(), pool_of(self.settings).session() as session:
            if session.query_tag != self.query_tag:
                session.query_tag = self.query_tag
            yield session

    def attempt(self, work: Callable[[Session], Answer]) -> Answer:
        """Do some work, again from its start on a new session when the connection is lost.

        The work must be harmless to do twice: after a lost connection it may have been done.

        Raises:
            StoreUnavailableError: The account does not answer, or forbids it.
            StoreError: The work fails for another reason.
        """
        for pause_s in PAUSES_S:
            try:
                with self.use() as session:
                    return work(session)
            except StoreUnavailableError as error:
                if not is_lost(error):
                    raise
                logger.warning("Snowflake: %s; trying again", error.anonymous)
                self.discard()
                time.sleep(pause_s)
        with self.use() as session:
            return work(session)

    def run(self, sql: str, binds: Sequence[object] = ()) -> list[Row]:
        """The rows of one statement, which must be harmless to do twice.

        Args:
            sql: With a "?" for each value; names in it are validated by the configuration.
            binds: The values, which are never part of the text.
        """

        def collect(session: Session) -> list[Row]:
            rows: list[Row] = session.sql(sql, params=list(binds) or None).collect()
            return rows

        return self.attempt(collect)

    def discard(self) -> None:
        """Forget this thread's session: the next use opens a new one."""
        pool_of(self.settings).discard()
