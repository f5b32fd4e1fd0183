"""The lock on the stage: one process at a time, released, and free again after a kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.lock import StageLock
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.errors import RunError, StoreError
from tests.backends.snowflake.peer import Peer
from tests.contracts.processes import start_python

PREFIX = "runs/r/batch/lock-"
REFUSAL = RunError("one process at a time")
_NEVER_ENDS = """
import time
from lungreg.errors import RunError
with given.acquired(RunError("taken")):
    print("locked", flush=True)
    time.sleep(600)
"""


def lock_of(stage: SnowflakeStage, *, lease_s: float = 60, patience_s: float = 0) -> StageLock:
    return StageLock(stage, PREFIX, lease_s=lease_s, patience_s=patience_s)


@pytest.fixture
def stage(source: SessionSource) -> SnowflakeStage:
    """A stage with another file in the folder, which is nobody's lock."""
    stage = SnowflakeStage(source)
    stage.write("runs/r/batch/no-file-1", b"x")
    return stage


@contextmanager
def killed(lock: StageLock) -> Iterator[None]:
    """Another process has the lock during the block, and is killed at its end."""
    with start_python(_NEVER_ENDS, lock) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        yield
        process.kill()


def names(stage: SnowflakeStage) -> list[str]:
    return [info.name for info in stage.list()]


def test_a_lock_is_released(stage: SnowflakeStage) -> None:
    """After the block, and after an error in it, none of its files stays."""
    with lock_of(stage).acquired(REFUSAL):
        assert len(names(stage)) == 2
    with pytest.raises(ZeroDivisionError), lock_of(stage).acquired(REFUSAL):
        _ = 1 / 0
    assert names(stage) == ["runs/r/batch/no-file-1"]


def test_a_lock_of_a_killed_process_runs_out(stage: SnowflakeStage) -> None:
    """SIGKILL frees the lock when the lease is over, not before; its file goes with the next."""
    with killed(lock_of(stage, lease_s=3)):
        pass
    with pytest.raises(RunError), lock_of(stage).acquired(REFUSAL):
        pass
    with lock_of(stage, lease_s=3, patience_s=10).acquired(REFUSAL):
        assert len(names(stage)) == 2
    assert names(stage) == ["runs/r/batch/no-file-1"]


def test_a_lock_of_a_living_process_is_renewed(stage: SnowflakeStage) -> None:
    """However long the work takes, the next one is refused, and leaves nothing of its own."""
    with lock_of(stage, lease_s=3).acquired(REFUSAL):
        time.sleep(4.5)
        with pytest.raises(RunError), lock_of(stage, lease_s=3, patience_s=1).acquired(REFUSAL):
            pass
        assert len(names(stage)) == 2


def test_one_at_a_time(stage: SnowflakeStage) -> None:
    """Of several that try at once, each has the lock alone."""
    inside, most, guard = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with lock_of(stage, patience_s=60).acquired(REFUSAL):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.2)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == 1
    assert names(stage) == ["runs/r/batch/no-file-1"]


def test_clocks_of_machines_do_not_count(
    stage: SnowflakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is hours ahead takes no lock that still counts."""
    with lock_of(stage).acquired(REFUSAL):
        ahead = time.time() + 10_000
        monkeypatch.setattr(time, "time", lambda: ahead)
        with pytest.raises(RunError), lock_of(stage).acquired(REFUSAL):
            pass


@pytest.mark.parametrize("statement", ["^PUT", "^LIST", "^REMOVE"])
@pytest.mark.parametrize("after", [False, True])
def test_a_lost_connection_does_not_lose_the_lock(
    stage: SnowflakeStage, peer: Peer, statement: str, after: bool
) -> None:
    """Wherever the connection breaks, the lock is had once and released."""
    peer.mischief.drop(statement, after=after)
    with lock_of(stage).acquired(REFUSAL):
        assert len(names(stage)) == 2
    assert peer.mischief.happened == 1
    assert names(stage) == ["runs/r/batch/no-file-1"]


def test_a_listing_without_times_is_refused(stage: SnowflakeStage, peer: Peer) -> None:
    """Without the age of the other files nobody has the lock."""
    peer.stages.times = "yesterday"
    with pytest.raises(StoreError, match="last modified"), lock_of(stage).acquired(REFUSAL):
        pass
