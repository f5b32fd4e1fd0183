"""What registers a cohort is chosen on the command line, where the backend has it."""

from __future__ import annotations

from tests.site import Site


def test_batch_jobs_need_a_backend_that_has_them(ingested: Site) -> None:
    """A local backend says so, and starts no run."""
    done = ingested.run("infer", "--engine", "run-batch")
    assert done.code != 0
    assert "infer.engine run-batch needs a backend with batch jobs of its own" in done.err
    assert not [*(ingested.folder / "stage").glob("runs/infer-*")]


def test_another_engine_is_refused(ingested: Site) -> None:
    """The two engines are named."""
    done = ingested.run("infer", "--engine", "spark")
    assert done.code == 2
    assert "run-batch" in done.err
