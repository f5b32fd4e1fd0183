"""The actor pool: equal to the plain loop, bounded by the cluster, and hard to kill."""

from __future__ import annotations

import dataclasses
import gzip
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lungreg.backends.local.results import ParquetResultTable
from lungreg.errors import ResourceError, RunError
from lungreg.formats.volumes import decode_scan
from lungreg.records import CaseResult
from lungreg.stores import Stage
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from lungreg.workflows.train import train
from tests.distributed.full_device import FullWorker
from tests.distributed.lost_device import LosingWorker
from tests.distributed.meeting_stage import WAIT_S, MeetingStage
from tests.site import CASES, Site, measures
from tests.workflows.faults import EVER, KillingStage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

ALIGNED = ("infer.model=null", "refine.enabled=false")
OUTPUTS = ("registered_img.nii.gz", "registered_label.nii.gz", "displacement.nii.gz")


def output(stage: Stage, done: InferReport, case_id: str, name: str) -> bytes:
    """The unpacked bytes of one file of a case."""
    return gzip.decompress(stage.read(f"runs/{done.run_id}/cases/{case_id}/{name}"))


@dataclass(frozen=True)
class Pooled:
    """The same cases registered by the plain loop and by a pool of two with a slow table.

    Both workers have a case before the first is done; the first write lasts until two more cases
    are on the stage.
    """

    stage: Stage
    loop: InferReport
    pool: InferReport
    went_on: list[bool]
    """For each write: whether the cases that it waited for were registered meanwhile."""


def more_cases(run: Path, count: int) -> bool:
    """Wait until so many cases of a run have their files on the stage; False: in vain."""
    until = time.monotonic() + WAIT_S
    while len(list(run.glob("cases/*/metrics.json"))) < count:
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def pooled(_trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Pooled:
    """Both runs on a copy of the trained cohort."""
    site = Site(Path(shutil.copytree(_trained, tmp_path_factory.mktemp("pooled") / "site")))
    stage = MeetingStage(
        site.folder / "stage", readers=tmp_path_factory.mktemp("readers"), processes=2
    )
    loop, went_on = infer(site.config()), list[bool]()
    write = ParquetResultTable.write

    def slowly(table: ParquetResultTable, rows: Sequence[CaseResult]) -> None:
        wanted = 0 if went_on else len(rows) + 2
        went_on.append(more_cases(stage.root / "runs" / rows[0].run_id, wanted))
        write(table, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParquetResultTable, "write", slowly)
        pool = infer(site.config("infer.workers=2"), backend=site.backend_on(stage))
    return Pooled(site.backend().stage, loop, pool, went_on)


def test_a_pool_of_two_gives_what_the_plain_loop_gives(pooled: Pooled) -> None:
    """Same device, same threads: the same bytes and the same metrics, each case once."""
    stage, loop, pool = pooled.stage, pooled.loop, pooled.pool
    assert [row.case_id for row in pool.results] == list(CASES)
    assert {row.worker for row in pool.results} == {"cpu-1", "cpu-2"}
    for one, other in zip(loop.results, pool.results, strict=True):
        assert measures(one) == measures(other)
        for name in OUTPUTS:
            expected = output(stage, loop, one.case_id, name)
            assert output(stage, pool, one.case_id, name) == expected


def test_workers_do_not_wait_for_a_slow_table(pooled: Pooled) -> None:
    """While rows are being written each worker registers its next case."""
    assert all(pooled.went_on)


@pytest.mark.parametrize("workers", ["3", "{min: 3, max: 4}"])
def test_more_workers_than_the_cluster_has_are_refused(trained: Site, workers: str) -> None:
    """At once, with the key, the number there is, and nothing started."""
    with pytest.raises(ResourceError, match=r"infer\.workers.*got 3 of 2; set infer\.workers"):
        infer(trained.config(f"infer.workers={workers}"))
    assert trained.backend().results.query("SELECT * FROM results").num_rows == 0


def test_more_training_workers_than_the_cluster_has_are_refused(trained: Site) -> None:
    """Ray itself would wait for them for ever."""
    with pytest.raises(ResourceError, match=r"train\.workers.*got 3 of 2; set train\.workers"):
        train(trained.config("train.workers=3"))


def test_a_worker_whose_device_is_lost_is_replaced(
    ingested: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would fail case after case, faster than the others register them."""
    monkeypatch.setattr("lungreg.distributed.pool.Worker", LosingWorker)
    done = infer(ingested.config("infer.workers={min: 1, max: 1}", *ALIGNED))
    assert not done.failed
    assert [row.case_id for row in done.results] == list(CASES)
    assert sorted(row.attempt for row in done.results) == [1, 1, 1, 1, 1, 2]
    assert {row.worker for row in done.results} == {"cpu-1", "cpu-2"}


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_case_that_lacks_memory_is_tried_once_more(
    ingested: Site, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    """Others that share the card may be done by then; after that it is a failed row."""
    monkeypatch.setattr("lungreg.distributed.pool.Worker", FullWorker)
    config = ingested.config("infer.workers=1", f"infer.max_attempts={attempts}", *ALIGNED)
    done = infer(config)
    assert [row.case_id for row in done.results] == list(CASES)
    again = 1 if attempts == 1 else 2
    assert [row.attempt for row in done.results] == [1, again, again, 1, 1, 1]
    assert [row.case_id for row in done.failed] == list(CASES[1:3] if attempts == 1 else CASES[2:3])
    assert {row.error_code for row in done.failed} == {"out_of_memory"}
    assert ingested.backend().results.query("SELECT * FROM results").num_rows == len(CASES)


def test_a_worker_killed_in_a_case_loses_no_case_and_doubles_none(
    ingested: Site, tmp_path: Path
) -> None:
    """SIGKILL in mid-case: tried again, at most `max_attempts`, then recorded as failed.

    Aligned alone: five workers start, and each would import MONAI.
    """
    once, ever = (f"scansInsp/{case_id}_insp.nii.gz" for case_id in CASES[1:3])
    stage = KillingStage(
        ingested.folder / "stage", tally=tmp_path / "tally", deadly={once: {1}, ever: EVER}
    )
    backend = dataclasses.replace(ingested.backend(), stage=stage)
    config = ingested.config("infer.workers={min: 1, max: 2}", "infer.max_attempts=2", *ALIGNED)
    done = infer(config, backend=backend)
    assert [row.case_id for row in done.results] == list(CASES)
    assert ingested.backend().results.query("SELECT * FROM results").num_rows == len(CASES)
    assert [row.attempt for row in done.results] == [1, 2, 2, 1, 1, 1]
    assert (stage.count(once), stage.count(ever)) == (2, 2)
    (failed,) = done.failed
    assert (failed.case_id, failed.error_code) == (CASES[2], "worker_died")
    assert failed.case_id not in (failed.error_message or "")
    assert stage.list(f"runs/{done.run_id}/cases/{failed.case_id}") == []
    for row in done.results:
        if row is not failed:
            decode_scan(stage.read(row.output_image or ""))


def test_a_worker_that_dies_whenever_it_loads_the_model_ends_the_run(
    trained: Site, tmp_path: Path
) -> None:
    """No case is to blame: the run says so instead of recording all of them as failed."""
    stage = KillingStage(
        trained.folder / "stage",
        tally=tmp_path / "tally",
        deadly={"models/lung_ct_registration/1/weights.safetensors": EVER},
    )
    config = trained.config("infer.workers=1", "infer.max_attempts=1")
    with pytest.raises(RunError, match=r"loads the model, got 1 death in a row; lower infer"):
        infer(config, backend=trained.backend_on(stage))
    assert trained.backend().results.query("SELECT * FROM results").num_rows == 0
