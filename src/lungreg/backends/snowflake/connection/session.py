"""One place from which all stores get their Snowpark session.

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

_PAUSES_S = (0.2, 1.0, 4.0)
"""Between the attempts: one more than pauses."""
RUN_ID = re.compile(r"(?:train|infer)-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
"""What may stand for a run where others read it."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class SessionSource:
    """Sessions for one configuration. Picklable: a copy opens its own in another process.

    A thread has its own session, since Snowpark's hold one cursor and one transaction; a
    notebook's or job's active session is taken as it is, and one thread at a time uses it.
    """

    settings: SnowflakeBackend
    run_id: str | None = None
    """Tells the query history which run a statement belongs to."""
    step: str | None = None
    """Likewise: ingest, train, infer, evaluate, ..."""

    @property
    def query_tag(self) -> str:
        """JSON for the query history: application, run and step, never a case.

        What a person types in place of a run, a path say, is left out.
        """
        is_run = self.run_id is not None and RUN_ID.fullmatch(self.run_id)
        tag = {"app": "lungreg", "run": self.run_id if is_run else None, "step": self.step}
        return json.dumps({key: value for key, value in tag.items() if value is not None})

    @contextmanager
    def use(self) -> Iterator[Session]:
        """This thread's session, opened on first use; no other thread uses it meanwhile.

        Raises:
            StoreUnavailableError: No session can be opened, or it fails in the block.
            StoreError: Anything else that Snowflake refuses in the block.
        """
        with translated(), pool_of(self.settings).held() as session:
            if session.query_tag != self.query_tag:
                session.query_tag = self.query_tag
            yield session

    def attempt(self, work: Callable[[Session], Answer]) -> Answer:
        """Do some work, again from its start on a new session when the connection is lost.

        The work must be harmless to do twice: a lost connection does not tell how far it came.

        Raises:
            StoreUnavailableError: The account does not answer, or forbids it.
            StoreError: The work fails for another reason.
        """
        for pause_s in _PAUSES_S:
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
            sql: With a "?" for each value; names in it come validated from the configuration.
            binds: The values, which never stand in the text.
        """

        def collect(session: Session) -> list[Row]:
            rows: list[Row] = session.sql(sql, params=list(binds) or None).collect()
            return rows

        return self.attempt(collect)

    def discard(self) -> None:
        """Forget this thread's session: the next use opens a new one."""
        pool_of(self.settings).discard()
