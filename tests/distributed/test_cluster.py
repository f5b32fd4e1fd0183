"""The Ray cluster that is started or joined."""

from __future__ import annotations

import os

import pytest
import ray

from lungreg.distributed.cluster import capacity, cluster
from lungreg.errors import ResourceError


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
class TestStarted:
    def test_is_joined_by_whoever_asks_for_one(self) -> None:
        """Of this process; it stays when they are done."""
        with cluster() as joined:
            assert (joined.cpus, joined.gpus) == (2, 0)
            assert joined.memory_bytes > 1e9
        assert ray.is_initialized()
        assert capacity() == joined

    def test_its_processes_do_not_look_for_an_api_server(self) -> None:
        """Without the dashboard there is none: Ray Train would wait for it at its end."""

        @ray.remote
        def ask() -> str:
            from ray.util.state import get_actor
            from ray.util.state.exception import ServerUnavailable

            try:
                get_actor("f" * 32, timeout=10)
            except ServerUnavailable:
                return "no server"
            return "a server"

        assert ray.get(ask.remote(), timeout=30) == "no server"
        assert "RAY_API_SERVER_ADDRESS" not in os.environ


def test_a_cluster_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a cluster does not want another one started."""

    def fail(**settings: object) -> None:
        assert settings["address"] == "auto"
        raise ConnectionError

    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ResourceError, match="that RAY_ADDRESS names must answer"), cluster():
        pass


def test_a_start_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine too busy for it: Ray's own words are for the person at the console."""

    def fail(**settings: object) -> None:
        assert settings["address"] == "local"
        msg = "The current node timed out during startup."
        raise Exception(msg)  # noqa: TRY002 -- as Ray does

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ResourceError, match="timed out during startup") as refused, cluster():
        pass
    assert "workers to 0, which needs no Ray" in refused.value.anonymous
    assert "timed out" not in refused.value.anonymous
