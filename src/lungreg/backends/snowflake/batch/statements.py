"""The statements that start a batch job, until the server has ended them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import is_lost
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.errors import LungregError

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_WORDS = "EXECUTE INFERENCE JOB"


@dataclass(frozen=True)
class JobStatements:
    """The statements of one batch job whose end this process has not seen.

    Snowflake builds the model's image before such a statement ends, which takes many minutes, and
    makes the job only then; the server goes on with it when its client is gone.
    """

    source: SessionSource
    _open: list[str] = field(default_factory=list)
    """Ids of statements."""

    @contextmanager
    def recorded(self, session: Session) -> Iterator[None]:
        """Remember the statement that is sent in the block, unless the block sees its end."""
        with session.query_history() as history:
            try:
                yield
            except BaseException as error:
                if not isinstance(error, Exception) or is_lost(error):
                    sent = [item for item in history.queries if _WORDS in item.sql_text]
                    self._open.extend(item.query_id for item in sent if item.query_id)
                raise

    def cancel(self) -> None:
        """Cancel the statements that may still run."""
        for query_id in self._open:
            with suppress(LungregError):  # one that has ended cannot be cancelled
                self.source.attempt(
                    lambda session, query_id=query_id: session.create_async_job(query_id).cancel()  # type: ignore[misc]
                )

    def have_ended(self) -> bool:
        """Whether none of the statements runs any longer.

        Raises:
            StoreUnavailableError: The account does not answer.
        """
        return self.source.attempt(
            lambda session: all(session.create_async_job(one).is_done() for one in self._open)
        )
