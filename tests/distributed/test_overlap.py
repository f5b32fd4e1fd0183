"""Actors that read and write cases while they compute another, as those on a GPU do."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from lungreg.distributed import inferencer
from lungreg.distributed.pool_size import PoolSize, pool_size
from lungreg.workflows.infer import infer
from tests.distributed.overlapping_stage import OverlappingStage
from tests.site import CASES, Site, measures
from tests.workflows.faults import EVER, KillingStage

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster", "three_at_once")]

ALIGNED = ("infer.model=null", "refine.enabled=false")


@pytest.fixture
def three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Actors hold as many cases as on a GPU."""

    def size(*asked: Any) -> PoolSize:
        return dataclasses.replace(pool_size(*asked), at_once=3)

    monkeypatch.setattr(inferencer, "pool_size", size)


def test_cases_are_read_while_others_are_written(ingested: Site, tmp_path: Path) -> None:
    """By one actor, which would wait in vain otherwise; results are those of the plain loop."""
    stage = OverlappingStage(ingested.folder / "stage", readers=tmp_path)
    plain = infer(ingested.config(*ALIGNED))
    done = infer(
        ingested.config("infer.workers={min: 1, max: 1}", *ALIGNED),
        backend=ingested.backend_on(stage),
    )
    assert [row.case_id for row in done.results] == list(CASES)
    assert {row.worker for row in done.results} == {"cpu-1"}
    assert [measures(row) for row in done.results] == [measures(row) for row in plain.results]


@pytest.mark.parametrize("deadly", [{1}, EVER], ids=["once", "ever"])
def test_a_death_is_blamed_on_a_case_that_was_alone(
    deadly: Any, ingested: Site, tmp_path: Path
) -> None:
    """What died beside others is tried again by itself: only what kills an actor then fails."""
    name = f"scansInsp/{CASES[1]}_insp.nii.gz"
    stage = KillingStage(ingested.folder / "stage", tally=tmp_path, deadly={name: deadly})
    config = ingested.config("infer.workers={min: 1, max: 1}", "infer.max_attempts=1", *ALIGNED)
    done = infer(config, backend=ingested.backend_on(stage))
    assert [row.case_id for row in done.results] == list(CASES)
    assert [row.case_id for row in done.failed] == ([] if deadly == {1} else [CASES[1]])
    assert stage.count(name) == 2
    assert {row.attempt for row in done.results} == {1, 2}
