"""Container Runtime around this process: its cluster is joined, a notebook's is scaled."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from lungreg.backends.snowflake.connection.runtime import (
    join_runtime_cluster,
    scale_notebook_cluster,
)
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.config import SnowflakeBackend
from lungreg.errors import ResourceError

CLUSTER_MANAGER = "snowflake.ml.runtime_cluster.cluster_manager"


class Cluster:
    """`scale_cluster` with the signature that Snowflake documents; no index has the module."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answer: bool | Exception = True

    def scale_cluster(
        self,
        expected_cluster_size: int,
        *,
        notebook_name: str | None = None,
        is_async: bool = False,
        options: dict[str, Any] | None = None,
    ) -> bool:
        self.asked.append(expected_cluster_size)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No runtime is around this process but the one that a test makes up."""
    for name in ("IN_SPCS_ML_RUNTIME", "SNOWFLAKE_JOB_INDEX", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    yield
    os.environ.pop("RAY_ADDRESS", None)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A notebook on Container Runtime."""
    found, package, module = Cluster(), ModuleType("package"), ModuleType(CLUSTER_MANAGER)
    package.__path__ = []
    module.scale_cluster = found.scale_cluster  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, CLUSTER_MANAGER.rpartition(".")[0], package)
    monkeypatch.setitem(sys.modules, CLUSTER_MANAGER, module)
    monkeypatch.setenv("IN_SPCS_ML_RUNTIME", "True")
    return found


def jobs(nodes: int | None) -> SnowflakeJobs:
    pool = {"notebook_nodes": nodes}
    settings = SnowflakeBackend.model_validate({"kind": "snowflake", "compute_pool": pool})
    return SnowflakeJobs(SessionSource(settings))


@pytest.mark.parametrize("variable", ["IN_SPCS_ML_RUNTIME", "SNOWFLAKE_JOB_INDEX"])
def test_inside_the_runtime_its_cluster_is_joined(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Ray's own variable says so, in a notebook as in a job; the index of a job may be 0."""
    monkeypatch.setenv(variable, "0")
    join_runtime_cluster()
    assert os.environ["RAY_ADDRESS"] == "auto"


def test_elsewhere_and_where_a_cluster_is_named_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A laptop starts its own cluster as before."""
    join_runtime_cluster()
    assert "RAY_ADDRESS" not in os.environ
    monkeypatch.setenv("IN_SPCS_ML_RUNTIME", "True")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:12001")
    join_runtime_cluster()
    assert os.environ["RAY_ADDRESS"] == "10.0.0.1:12001"


def test_a_notebook_gets_the_nodes_of_the_configuration(notebook: Cluster) -> None:
    """`scale_cluster` is asked once for the whole number, before Ray is used."""
    jobs(3).prepare()
    assert notebook.asked == [3]


def test_without_a_number_the_cluster_stays(notebook: Cluster) -> None:
    """The default asks for nothing."""
    jobs(None).prepare()
    assert notebook.asked == []


def test_in_a_job_nothing_is_scaled(notebook: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's nodes are those of its submission: `scale_cluster` is for notebooks alone."""
    monkeypatch.setenv("SNOWFLAKE_JOB_INDEX", "0")
    assert not scale_notebook_cluster(3)
    assert notebook.asked == []


def test_without_the_runtimes_module_nothing_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the runtime's images the module does not exist, and nobody misses it."""
    assert not scale_notebook_cluster(3)
    monkeypatch.setenv("IN_SPCS_ML_RUNTIME", "True")
    assert not scale_notebook_cluster(3)


@pytest.mark.parametrize("answer", [False, RuntimeError("pool is full")])
def test_nodes_that_do_not_come_are_an_error(notebook: Cluster, answer: bool | Exception) -> None:
    """A run on fewer nodes than were asked for is never started in silence."""
    notebook.answer = answer
    with pytest.raises(ResourceError, match="3"):
        scale_notebook_cluster(3)
