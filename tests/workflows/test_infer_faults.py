"""Registration of a cohort that is killed, stopped, moved, shared or out of space."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lungreg.errors import StoreUnavailableError
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import decode_mask, decode_scan
from lungreg.records import CaseResult, Status
from lungreg.stores import Stage
from lungreg.testing import FaultyStage
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from lungreg.workflows.report import report
from lungreg.workflows.results import query_results
from tests.site import CASES, Site, interrupt, kill, terminate_twice, wait_until

pytestmark = pytest.mark.slow

ALIGNED = ("--no-model", "--set", "refine.enabled=false", "--set", "infer.qc=true")
"""Options of `infer`: where only processes count, nothing of MONAI is imported by each of them."""


def only_run(site: Site) -> str:
    """The run that a command has started, or "" before."""
    runs = sorted((site.folder / "stage" / "runs").glob("infer-*"))
    return runs[-1].name if runs else ""


def has_rows(site: Site) -> bool:
    """Whether a case is done; the rows themselves take long to read for what is asked at once."""
    return any((site.folder / "stage" / "runs").glob("infer-*/results/part-*.parquet"))


def rows(site: Site) -> list[CaseResult]:
    """Its rows so far."""
    run = only_run(site)
    return site.backend().results.rows(run) if run else []


def assert_whole(stage: Stage, run_id: str) -> None:
    """Every file of a run that the stage lists can be read to its end."""
    readers = {
        "registered_img.nii.gz": decode_scan,
        "registered_label.nii.gz": decode_mask,
        "displacement.nii.gz": decode_displacement,
    }
    for file in stage.list(f"runs/{run_id}/cases"):
        data = stage.read(file.name)
        if reader := readers.get(file.name.rpartition("/")[2]):
            reader(data)
        assert data.rstrip()[-1:] in (b"}", b">") or reader


def test_a_killed_command_leaves_no_worker_and_is_resumed(ingested: Site) -> None:
    """SIGKILL to `lungreg infer` with a pool; `--resume` does what is missing, then what failed."""
    command = ingested.start("infer", *ALIGNED, "--set", "infer.workers=1")
    wait_until(lambda: has_rows(ingested), command)
    working = kill(command)
    assert len(working) > 3
    assert psutil.wait_procs(working, timeout=30)[1] == []
    before = rows(ingested)
    assert 0 < len(before) < len(CASES)
    assert_whole(ingested.backend().stage, only_run(ingested))

    left = [case_id for case_id in CASES if case_id not in {row.case_id for row in before}]
    broken = ingested.folder / "stage" / "scansExp" / f"{left[0]}_exp.nii.gz"
    good = broken.read_bytes()
    broken.write_bytes(good[:1000])
    config = ingested.config("infer.workers=0")
    second = infer(config, resume=only_run(ingested))
    assert second.registered == len(left)
    assert [row.case_id for row in second.failed] == left[:1]
    assert [row for row in second.results if row in before] == before

    broken.write_bytes(good)
    third = infer(config, resume=only_run(ingested))
    assert third.registered == 1
    assert [row.case_id for row in third.results] == list(CASES)
    assert {row.case_id: row.attempt for row in third.results}[left[0]] == 2
    assert third.failed == []
    assert infer(config, resume=only_run(ingested)).registered == 0


@pytest.mark.parametrize(("workers", "stop"), [(0, interrupt), (1, terminate_twice)])
def test_a_signal_stops_within_seconds_and_says_how_to_go_on(
    ingested: Site, workers: int, stop: Callable[..., tuple[float, str, str]]
) -> None:
    """Ctrl-C, or SIGTERM of a scheduler, even two: said at once and at the end.

    The rest is done later. Exit code 1, whole files, no process left.
    """
    command = ingested.start("infer", *ALIGNED, "--set", f"infer.workers={workers}")
    wait_until(lambda: has_rows(ingested), command)
    started = psutil.Process(command.pid).children(recursive=True)
    seconds, _, err = stop(command)
    run = only_run(ingested)
    assert command.returncode == 1
    assert err == (
        "lungreg: stopping; what is under way is put in order\n"
        "lungreg: the run was stopped; what is done is kept; "
        f"go on with 'lungreg infer --resume {run} --set refine.enabled=false "
        f"--set infer.qc=true --set infer.workers={workers}'\n"
    )
    assert seconds < 20
    assert psutil.wait_procs(started, timeout=30)[1] == []
    done = rows(ingested)
    assert 0 < len(done) < len(CASES)
    assert_whole(ingested.backend().stage, run)
    rest = infer(ingested.config("infer.workers=0"), resume=run)
    assert rest.registered == len(CASES) - len(done)
    assert [row.status for row in rest.results] == [Status.SUCCESS] * len(CASES)


def test_a_stage_copied_elsewhere_goes_on_working(trained: Site, tmp_path: Path) -> None:
    """Rows, models, pages and registration need nothing of the old place."""
    first = infer(trained.config("infer.qc=true"))
    there = Site(Path(shutil.copytree(trained.folder, tmp_path / "elsewhere" / "site")))
    shutil.rmtree(trained.folder)
    assert there.backend().results.rows(first.run_id) == first.results
    (known,) = there.backend().models.list()
    assert (known.card.version, known.aliases) == ("1", ("champion",))
    page = there.backend().stage.read(report(there.config(), first.run_id)).decode()
    assert str(trained.folder) not in page
    again = infer(there.config())
    assert measured(again) == measured(first)
    assert infer(there.config(), resume=first.run_id).registered == 0


def measured(done: InferReport) -> list[tuple[str, float | None, float | None]]:
    """Dice and landmark error by case."""
    return [(row.case_id, row.dice_score, row.tre_mm) for row in done.results]


def test_two_runs_at_once_on_one_stage_while_a_third_asks(ingested: Site) -> None:
    """Two `lungreg infer` finish with all their rows; SQL is answered all the while."""
    commands = [ingested.start("infer", *ALIGNED, "--json") for _ in range(2)]
    wait_until(lambda: has_rows(ingested), commands[0])
    counts = [0]
    query = "SELECT count(*) AS n, count(DISTINCT (run_id, case_id)) AS d FROM results"
    while any(command.poll() is None for command in commands):
        (answer,) = query_results(ingested.config(), query).to_pylist()
        assert answer["n"] == answer["d"] >= counts[-1]
        counts.append(answer["n"])
        time.sleep(0.2)
    assert [(command.wait(), command.communicate()[1]) for command in commands] == [(0, "")] * 2
    assert len(set(counts)) > 2  # it was asked while they wrote
    answer = query_results(ingested.config(), "SELECT run_id, case_id, status FROM results")
    assert answer.num_rows == 2 * len(CASES)
    assert set(answer["status"].to_pylist()) == {"success"}
    assert len(set(answer["run_id"].to_pylist())) == 2


def test_a_stage_that_is_full_for_a_while_costs_the_cases_of_that_while(trained: Site) -> None:
    """They are recorded as failed, with nothing half-written, and are done on resuming."""
    whole = trained.backend().stage
    stage = FaultyStage(whole, full_on={2, 3}, only="registered_img")
    done = infer(trained.config(), backend=trained.backend_on(stage))
    assert [row.case_id for row in done.failed] == list(CASES[1:3])
    assert {row.error_code for row in done.failed} == {"store_unavailable"}
    assert {row.output_image for row in done.failed} == {None}
    assert_whole(whole, done.run_id)
    rest = infer(trained.config(), resume=done.run_id)
    assert (rest.registered, rest.failed) == (2, [])


def test_a_stage_that_stays_full_ends_the_run_and_loses_nothing(trained: Site) -> None:
    """Where not even a row can be written, the run ends with what to do; `--resume` goes on."""
    whole = trained.backend().stage
    stage = FaultyStage(whole, full_on=range(15, 10**6))
    with pytest.raises(StoreUnavailableError, match="free disk space"):
        infer(trained.config(), backend=trained.backend_on(stage))
    before = rows(trained)
    assert 0 < len(before) < len(CASES)
    assert_whole(whole, only_run(trained))
    rest = infer(trained.config(), resume=only_run(trained))
    assert rest.registered == len(CASES) - len(before)
    assert [row for row in rest.results if row in before] == before


def test_a_scan_that_cannot_be_read_for_a_while_costs_that_case(trained: Site) -> None:
    """A store that does not answer once is no reason to lose the others."""
    stage = FaultyStage(trained.backend().stage, down_on={1}, only="scansExp/case_004")
    done = infer(trained.config(), backend=trained.backend_on(stage))
    assert [(row.case_id, row.error_code) for row in done.failed] == [
        ("case_004", "store_unavailable")
    ]
