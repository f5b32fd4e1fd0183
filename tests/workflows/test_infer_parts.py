"""The rows of a run while they are written."""

from __future__ import annotations

import pytest

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
