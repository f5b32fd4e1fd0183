"""A Ray cluster of several nodes on this machine: in the middle of work one is lost, one joins."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from lungreg.backends.local.results import ParquetResultTable
from lungreg.distributed.pool import Pool
from lungreg.records import CaseResult, Status
from lungreg.stores.run_files import History
from lungreg.workflows.infer import infer
from lungreg.workflows.progress import Progress
from lungreg.workflows.train import train
from tests.distributed.histories import assert_same
from tests.distributed.holding_stage import HoldingStage
from tests.site import CASES, Site
from tests.workflows.faults import KillingStage

pytestmark = pytest.mark.slow
LOADING_S = 200.0
OBJECT_STORE_BYTES = 80 * 2**20
Arrange = Callable[..., None]
ALIGNED = ("infer.model=null", "refine.enabled=false")


@pytest.fixture(scope="module")
def head() -> Iterator[Cluster]:
    """A head that does no work, for all tests: it takes Ray ten seconds to start one."""
    node = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    made = Cluster(initialize_head=True, head_node_args=node)
    yield made
    made.shutdown()
    gc.collect()


@pytest.fixture
def nodes(head: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, for the library to join by its address, and for tests to add nodes to."""
    monkeypatch.setenv("RAY_ADDRESS", head.address)
    # For a minute Ray Train waits for room on a node that is lost, before it counts anew.
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "5")
    yield head
    ray.shutdown()
    for node in list(head.worker_nodes):
        head.remove_node(node, allow_graceful=False)


@pytest.fixture
def after_first_row(monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """Something to do once the first row is written.

    Writing the second may last until a worker that is starting has loaded: it then has work left.
    """
    write, grow = ParquetResultTable.write, Pool._grow
    pools, writes = list[Pool](), list[int]()

    def growing(pool: Pool, waiting: int) -> None:
        grow(pool, waiting)
        pools[:] = [pool]

    def arrange(act: Callable[[], object], *, wait: bool = False) -> None:
        def writing(table: ParquetResultTable, rows: Sequence[CaseResult]) -> None:
            write(table, rows)
            writes.append(len(rows))
            if len(writes) == 1:
                act()
            elif wait and (loading := [*pools[0]._loading]):
                ray.wait(loading, timeout=LOADING_S)

        monkeypatch.setattr(Pool, "_grow", growing)
        monkeypatch.setattr(ParquetResultTable, "write", writing)

    return arrange


def add_node(nodes: Cluster) -> Any:
    """A node with room for one worker."""
    node = nodes.add_node(num_cpus=1, object_store_memory=OBJECT_STORE_BYTES)
    nodes.wait_for_nodes()
    return node


def one_row_each(results: Sequence[CaseResult]) -> bool:
    """Whether every case was registered, once."""
    assert {row.status for row in results} == {Status.SUCCESS}
    return sorted(row.case_id for row in results) == sorted(CASES)


def test_a_node_that_is_lost_costs_no_case(
    ingested: Site, nodes: Cluster, after_first_row: Arrange, tmp_path: Path
) -> None:
    """What its worker was at is registered by the other one, in a second attempt."""
    added = {node.node_id: node for node in (add_node(nodes), add_node(nodes))}
    held = f"scansExp/{CASES[1]}_exp.nii.gz"
    stage = HoldingStage(ingested.folder / "stage", held=held, note=tmp_path / "node")
    after_first_row(lambda: nodes.remove_node(added[stage.where()], allow_graceful=False))
    config = ingested.config("infer.workers=2", *ALIGNED)
    done = infer(config, backend=ingested.backend_on(stage))
    assert one_row_each(done.results)
    attempts = {row.case_id: row.attempt for row in done.results}
    assert attempts == {case_id: 2 if case_id == CASES[1] else 1 for case_id in CASES}


def test_a_node_that_joins_is_used(
    ingested: Site, nodes: Cluster, after_first_row: Arrange
) -> None:
    """A pool that may grow starts a worker on it; every case has one row all the same."""
    add_node(nodes)
    after_first_row(lambda: add_node(nodes), wait=True)
    done = infer(ingested.config("infer.workers={min: 1, max: 2}", *ALIGNED))
    assert one_row_each(done.results)
    assert len({row.worker for row in done.results}) == 2


def test_training_goes_on_with_fewer_workers(
    ingested: Site, nodes: Cluster, three_epochs: History, tmp_path: Path
) -> None:
    """After the first epoch a node is lost, and a worker dies: one does the rest, with no loss.

    The worker dies so that the second epoch cannot end before the node is lost.
    """
    lost, _ = add_node(nodes), add_node(nodes)
    victim = f"scansExp/{CASES[0]}_exp.nii.gz"
    readers = tmp_path / "readers"
    stage = KillingStage(
        ingested.folder / "stage", tally=tmp_path, deadly={victim: {2}}, readers=readers
    )
    trained = list[int]()

    def after_epoch(progress: Progress) -> None:
        if progress.done == 1:
            trained.append(len([*readers.iterdir()]))
            nodes.remove_node(lost, allow_graceful=False)

    done = train(
        ingested.config("train.workers={min: 1, max: 2}", "train.epochs=3", "data.cache_gb=0"),
        backend=dataclasses.replace(ingested.backend(), stage=stage),
        on_progress=after_epoch,
    )
    assert_same(done.history, three_epochs, tolerance=1e-3)
    assert trained == [2], "workers that had read scans before the node was lost"
    assert len(nodes.list_all_nodes()) == 2, "the head and the node that is left"
