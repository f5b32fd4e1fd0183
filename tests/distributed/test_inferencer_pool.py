"""The actor pool: equal to the plain loop, bounded by the cluster, and hard to kill."""

from __future__ import annotations

import dataclasses
import gzip
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lungreg.backends.local.results import ParquetResultTable
from lungreg.errors import ResourceError
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import decode_scan
from lungreg.records import CaseMetrics, CaseResult
from lungreg.stores import Stage
from lungreg.workflows.infer import InferReport, infer
from lungreg.workflows.train import train
from tests.site import CASES, Site
from tests.workflows.faults import EVER, KillingStage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

METRICS = [field.name for field in dataclasses.fields(CaseMetrics)]
OUTPUTS = ("registered_img.nii.gz", "registered_label.nii.gz", "displacement.nii.gz")


def metrics(row: CaseResult) -> dict[str, float | None]:
    """What was measured of a case."""
    return {name: getattr(row, name) for name in METRICS}


def output(stage: Stage, done: InferReport, case_id: str, name: str) -> bytes:
    """The unpacked bytes of one file of a case."""
    return gzip.decompress(stage.read(f"runs/{done.run_id}/cases/{case_id}/{name}"))


def test_a_pool_of_two_gives_what_the_plain_loop_gives(trained: Site) -> None:
    """Same device, same threads: the same bytes and the same metrics, each case once."""
    stage = trained.backend().stage
    loop = infer(trained.config())
    pool = infer(trained.config("infer.workers=2"))
    assert [row.case_id for row in pool.results] == list(CASES)
    assert {row.worker for row in pool.results} == {"cpu-1", "cpu-2"}
    for one, other in zip(loop.results, pool.results, strict=True):
        assert metrics(one) == metrics(other)
        for name in OUTPUTS:
            expected = output(stage, loop, one.case_id, name)
            assert output(stage, pool, one.case_id, name) == expected


def test_a_slow_table_holds_no_worker_up(trained: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows are being written the workers go on: what they finish is written at once."""
    written: list[int] = []
    write = ParquetResultTable.write

    def slowly(table: ParquetResultTable, rows: Sequence[CaseResult]) -> None:
        written.append(len(rows))
        time.sleep(2)
        write(table, rows)

    monkeypatch.setattr(ParquetResultTable, "write", slowly)
    done = infer(trained.config("infer.workers=2"))
    assert [row.case_id for row in done.results] == list(CASES)
    assert sum(written) == len(CASES)
    assert max(written) == 2


def test_the_number_of_threads_changes_almost_nothing(trained: Site) -> None:
    """Across thread counts, in a pool that may grow: 1e-4 mm, 1 HU, 1e-4 in every metric."""
    stage = trained.backend().stage
    one = infer(trained.config("infer.threads=1"))
    two = infer(trained.config("infer.threads=2", "infer.workers={min: 1, max: 2}"))
    assert {row.worker for row in two.results} <= {"cpu-1", "cpu-2"}
    for row, other in zip(one.results, two.results, strict=True):
        names = [f"runs/{done.run_id}/cases/{row.case_id}/" for done in (one, two)]
        fields = [decode_displacement(stage.read(f"{n}displacement.nii.gz"))[0] for n in names]
        np.testing.assert_allclose(*fields, atol=1e-4, rtol=0)
        images = [decode_scan(stage.read(f"{n}registered_img.nii.gz")).data for n in names]
        np.testing.assert_allclose(*images, atol=1, rtol=0)
        for name, value in metrics(row).items():
            assert metrics(other)[name] == pytest.approx(value, abs=1e-4), name


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


def test_a_worker_killed_in_a_case_loses_no_case_and_doubles_none(
    trained: Site, tmp_path: Path
) -> None:
    """SIGKILL in mid-case: tried again, at most `max_attempts`, then recorded as failed."""
    once, ever = (f"scansInsp/{case_id}_insp.nii.gz" for case_id in CASES[1:3])
    stage = KillingStage(
        trained.folder / "stage", tally=tmp_path / "tally", deadly={once: {1}, ever: EVER}
    )
    backend = dataclasses.replace(trained.backend(), stage=stage)
    config = trained.config("infer.workers=2", "infer.max_attempts=2")
    done = infer(config, backend=backend)
    assert [row.case_id for row in done.results] == list(CASES)
    assert trained.backend().results.query("SELECT * FROM results").num_rows == len(CASES)
    assert [row.attempt for row in done.results] == [1, 2, 2, 1, 1, 1]
    assert (stage.count(once), stage.count(ever)) == (2, 2)
    (failed,) = done.failed
    assert (failed.case_id, failed.error_code) == (CASES[2], "worker_died")
    assert failed.case_id not in (failed.error_message or "")
    assert stage.list(f"runs/{done.run_id}/cases/{failed.case_id}") == []
    for row in done.results:
        if row is not failed:
            decode_scan(stage.read(row.output_image or ""))
