"""Claims: exclusive, given back, and not lost with a connection."""

from __future__ import annotations

import time

import pytest

from lungreg.backends.snowflake import claims
from lungreg.backends.snowflake.claims import Claims, claim_table
from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.stage import SnowflakeStage
from lungreg.errors import AlreadyExistsError
from tests.snowflake.peer import Peer


def keys_in(source: SessionSource) -> list[str]:
    """The keys that are claimed, without the row that claimants lock."""
    rows = source.run(f"SELECT CLAIM_KEY FROM {claim_table(source.settings)}")
    return [row[0] for row in rows if row[0] != "lock"]


def test_a_claim_is_given_back(source: SessionSource) -> None:
    """After the block, and after an error in it, nothing stays claimed."""
    with Claims(source).held("name"):
        assert len(keys_in(source)) == 1
    with pytest.raises(ZeroDivisionError), Claims(source).held("name"):
        _ = 1 / 0
    assert keys_in(source) == []


def test_a_claim_of_a_dead_process_runs_out(
    source: SessionSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever died with a claim does not hold it for ever."""
    Claims(source)._acquire(claims.key_of("name"), "somebody who died")
    monkeypatch.setattr(claims, "_LEASE_S", 1)
    started = time.monotonic()
    with Claims(source).held("name"):
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("statement", "when"),
    [("^UPDATE", "before"), ("^INSERT", "after"), ("^COMMIT", "after"), ("^DELETE", "before")],
)
def test_a_lost_connection_neither_loses_nor_doubles(
    source: SessionSource, peer: Peer, statement: str, when: str
) -> None:
    """Wherever in the transaction the connection breaks, the file is created once."""
    stage = SnowflakeStage(source)
    stage.create("first", b"")  # the table is there
    peer.mischief.drop(statement, after=when == "after")
    stage.create("claim", b"x")
    assert peer.mischief.happened == 1
    with pytest.raises(AlreadyExistsError):
        stage.create("claim", b"y")
    assert stage.read("claim") == b"x"
    assert keys_in(source) == []
