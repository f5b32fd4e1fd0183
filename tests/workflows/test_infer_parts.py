"""The rows of a run while they are written."""

from __future__ import annotations

import pytest

from lungreg.testing import FaultyStage
from lungreg.workflows.infer import infer
from tests.site import CASES, Site


def test_rows_stay_in_few_parts_while_a_run_grows(
    ingested: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are merged every so many rows: a cohort of 100,000 would leave as many files."""
    monkeypatch.setattr("lungreg.workflows.infer.COMPACT_EVERY", 2)
    counts: list[int] = []
    runs = ingested.folder / "stage" / "runs"
    config = ingested.config("infer.model=null", "refine.enabled=false")
    done = infer(
        config, on_progress=lambda _: counts.append(len(list(runs.glob("*/results/part-*"))))
    )
    assert len(done.results) == len(CASES)
    assert max(counts) == 2


def test_only_new_cases_are_registered(ingested: Site) -> None:
    """Those that no run has registered with success; where there is none no run is made."""
    alone = ("infer.model=null", "refine.enabled=false", "infer.qc=false")
    first = infer(ingested.config(*alone, f"infer.cases=[{CASES[1]}]"))
    config = ingested.config(*alone, f"infer.cases=[{CASES[0]}, {CASES[1]}]")
    rest = infer(config, only_new=True)
    assert [row.case_id for row in rest.results] == [CASES[0]]
    again = infer(config, only_new=True)
    assert (again.results, again.registered) == ([], 0)
    runs = {folder.name for folder in (ingested.folder / "stage" / "runs").iterdir()}
    assert runs == {first.run_id, rest.run_id}


def test_rows_are_read_once_where_a_run_goes_on(ingested: Site) -> None:
    """What is reported is what the table holds: rows that were there, and those of this call."""
    stage = ingested.backend().stage
    full = FaultyStage(stage, full_on={2}, only="registered_img")
    config = ingested.config("infer.model=null", "refine.enabled=false", "infer.qc=false")
    fresh = FaultyStage(full, only="/results/part-")
    first = infer(config, backend=ingested.backend_on(fresh))
    assert fresh.reads == len(CASES)  # they are merged at the end, and nothing else reads them
    assert first.results == ingested.backend().results.rows(first.run_id)
    assert [row.case_id for row in first.failed] == [CASES[1]]

    again = FaultyStage(stage, only="/results/part-")
    rest = infer(config, resume=first.run_id, backend=ingested.backend_on(again))
    assert again.reads == 1 + 2  # one part is read; at the end it and the new one are merged
    assert rest.results == ingested.backend().results.rows(first.run_id)
    assert [row.attempt for row in rest.results] == [1, 2, 1, 1, 1, 1]

    finished = FaultyStage(stage, only="/results/part-")
    done = infer(config, resume=first.run_id, backend=ingested.backend_on(finished))
    assert (finished.reads, done.registered, done.results) == (1, 0, rest.results)
