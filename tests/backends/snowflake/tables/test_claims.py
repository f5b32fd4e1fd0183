"""Claims: exclusive, given back, and not lost with a connection."""

from __future__ import annotations

import time

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables import claims
from lungreg.backends.snowflake.tables.claims import Claims, claim_table
from lungreg.errors import RunError, StoreUnavailableError


def keys_in(source: SessionSource) -> list[str]:
    """The keys that are claimed, without the row that claimants lock."""
    rows = source.run(f"SELECT CLAIM_KEY FROM {claim_table(source.settings)}")
    return [row[0] for row in rows if row[0] != "lock"]


def claims_of_dead(source: SessionSource, *, lease_s: int) -> None:
    """Leave a claim, as a process does that is killed."""
    key = claims.key_of("name")
    Claims(source)._acquire(key, "somebody who died", lease_s, 5, RunError("not to be had"))


def test_a_claim_is_given_back(source: SessionSource) -> None:
    """After the block, and after an error in it, nothing stays claimed."""
    with Claims(source).held("name"):
        assert len(keys_in(source)) == 1
    with pytest.raises(ZeroDivisionError), Claims(source).held("name"):
        _ = 1 / 0
    assert keys_in(source) == []


def test_a_claim_of_a_dead_process_runs_out(source: SessionSource) -> None:
    """Whoever died with a claim does not hold it for ever."""
    claims_of_dead(source, lease_s=1)
    started = time.monotonic()
    with Claims(source).held("name"):
        assert time.monotonic() - started < 5


def test_a_claim_of_a_living_process_is_renewed(source: SessionSource) -> None:
    """However long the work takes, the next one waits, and is told so in the end."""
    refused = RunError("the name is free")
    with Claims(source).held("name", lease_s=3):
        time.sleep(4.5)
        with pytest.raises(RunError), Claims(source).held("name", patience_s=0.5, taken=refused):
            pass
    with Claims(source).held("name", patience_s=0.5):
        pass


def test_clocks_of_claimants_do_not_count(
    source: SessionSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is hours ahead takes no claim that still holds."""
    with Claims(source).held("name"):
        ahead = time.time() + 10_000
        monkeypatch.setattr(time, "time", lambda: ahead)
        with pytest.raises(StoreUnavailableError), Claims(source).held("name", patience_s=0):
            pass
