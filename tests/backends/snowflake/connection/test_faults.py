"""Errors of Snowflake's packages as those of the contract."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.faults import is_lost
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.errors import StoreError, StoreUnavailableError
from tests.backends.snowflake.peer import Peer


def test_a_missing_privilege_is_named(source: SessionSource, peer: Peer) -> None:
    """The error comes at once and says how to mend it; nothing is tried again."""
    peer.mischief.deny("^SELECT 1")
    with pytest.raises(StoreUnavailableError, match="lets this user and role") as caught:
        source.run("SELECT 1")
    assert "003001" in caught.value.anonymous
    assert len(peer.said("^SELECT 1")) == 1


def test_sql_that_fails_keeps_its_text_out_of_logs(source: SessionSource) -> None:
    """What Snowflake says may quote a value: the person sees it, the log does not."""
    with pytest.raises(StoreError) as caught:
        source.run("SELECT nobody_knows_this FROM nothing")
    assert "nothing" not in caught.value.anonymous.replace("nothing of", "")


@pytest.mark.parametrize(("number", "is_mended"), [(604, True), (630, True), (57014, False)])
def test_a_cancelled_statement_is_known_by_its_number(number: int, *, is_mended: bool) -> None:
    """57014 is the state that both have, and no number."""
    from snowflake.connector.errors import ProgrammingError

    assert is_lost(ProgrammingError(msg="cancelled", errno=number, sqlstate="57014")) == is_mended
