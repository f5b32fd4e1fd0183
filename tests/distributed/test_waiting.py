"""A cluster whose processors others hold: the wait is told, and ends."""

from __future__ import annotations

import threading

import pytest
import ray

from lungreg.distributed import waiting
from lungreg.distributed.cluster import capacity
from lungreg.distributed.waiting import await_processors
from lungreg.errors import ResourceError


class Holder:
    """An actor of the user's own."""

    def is_there(self) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_wait_for_processors_is_told_and_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused in the end; at once where this process itself holds them; over when they are free."""
    own = 0.0
    monkeypatch.setattr(waiting, "SILENT_S", 0.1)
    # The tests' cluster has no API server, for which Ray would look for a while.
    monkeypatch.setattr(waiting, "_held_by_own_actors", {"CPU": own}.get)
    there = capacity()
    holder = ray.remote(Holder).options(num_cpus=2).remote()
    assert ray.get(holder.is_there.remote())

    monkeypatch.setattr(waiting, "LONGEST_S", 0.0)
    with pytest.raises(ResourceError, match="got 0 of 2 for 0 min; end what holds them"):
        await_processors(1, there, gpu=False, key="infer.workers")

    monkeypatch.setattr(waiting, "LONGEST_S", 300.0)
    monkeypatch.setattr(waiting, "_held_by_own_actors", {"CPU": 1.0}.get)
    with pytest.raises(ResourceError, match=r"got 1 of 2 held by actors of this process.* to 0"):
        await_processors(2, there, gpu=False, key="train.workers")

    caplog.clear()
    monkeypatch.setattr(waiting, "_held_by_own_actors", {"CPU": own}.get)
    threading.Timer(0.5, lambda: ray.kill(holder)).start()
    await_processors(2, there, gpu=False, key="train.workers")
    (told,) = (record.getMessage() for record in caplog.records)
    assert told.startswith("waiting for 2 CPU cores of the Ray cluster: 0 of 2 are free")
    assert told.endswith("0 of at most 5 min")
