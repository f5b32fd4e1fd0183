"""More workers than there can be are refused before a run is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lungreg.distributed.capacity import Capacity
from tests.site import Site, assert_refused


@contextmanager
def two_cores() -> Iterator[Capacity]:
    """A cluster without Ray."""
    yield Capacity(cpus=2, gpus=0, memory_bytes=8 * 2**30)


@pytest.mark.parametrize("step", ["infer", "train"])
def test_no_run_is_made(ingested: Site, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """One line with the key and the number there is; nothing of a run lies on the stage."""
    monkeypatch.setattr("lungreg.distributed.cluster.cluster", two_cores)
    none = ("--set", "infer.model=null", "--set", f"{step}.workers=9")
    says = f"{step}.workers is at most the number of CPU cores"
    assert_refused(ingested.run(step, *none), says, "got 9 of 2", f"set {step}.workers to auto")
    assert not (ingested.folder / "stage" / "runs").exists()
