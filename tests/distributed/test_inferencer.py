"""What a fault is called, and threads; the pool itself is in test_inferencer_pool.py."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
import torch

from lungreg.errors import DataError
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import decode_scan
from lungreg.registration.case import describe
from lungreg.workflows.infer import infer
from tests.site import CASES, Site, measures


def test_a_refusal_of_ours_keeps_its_code_and_loses_its_place() -> None:
    """Case ids and paths do not reach the table."""
    error = DataError("a rule", got=3, where="/data/MUSTERMANN")
    assert describe(error) == ("data", "a rule, got 3")


def test_any_other_fault_is_reported_by_kind_and_line() -> None:
    """Its text might hold a path."""
    try:
        open("/data/MUSTERMANN")  # noqa: PTH123, SIM115  # the fault itself
    except OSError as error:
        code, message = describe(error)
    assert code == "unexpected"
    assert message.startswith("FileNotFoundError at test_inferencer.py:")


def test_a_lack_of_memory_has_a_code_of_its_own() -> None:
    """It calls for fewer workers, not for other data."""
    assert describe(MemoryError())[0] == "out_of_memory"


def test_what_a_case_that_lacked_memory_held_is_free_before_it_is_given_back(
    ingested: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a case keeps its arrays in use: PyTorch cannot return them before it is gone."""
    held: list[weakref.ref[torch.Tensor]] = []
    in_use: list[bool] = []

    def full(*_: Any, **__: Any) -> Any:
        volume = torch.ones(8)
        held.append(weakref.ref(volume))
        msg = "CUDA out of memory"
        raise torch.OutOfMemoryError(msg)

    monkeypatch.setattr("lungreg.distributed.worker.register_case", full)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: in_use.append(held[-1]() is not None))
    done = infer(ingested.config("infer.model=null", "refine.enabled=false"))
    assert {row.error_code for row in done.results} == {"out_of_memory"}
    assert in_use == [False] * len(CASES)


@pytest.mark.usefixtures("one_thread")  # gives this process its own number back
def test_the_number_of_threads_changes_almost_nothing(trained: Site) -> None:
    """Across thread counts: 1e-4 mm, 1 HU, 1e-4 in every metric."""
    stage = trained.backend().stage
    one = infer(trained.config("infer.threads=1"))
    two = infer(trained.config("infer.threads=2"))
    for row, other in zip(one.results, two.results, strict=True):
        names = [f"runs/{done.run_id}/cases/{row.case_id}/" for done in (one, two)]
        fields = [decode_displacement(stage.read(f"{n}displacement.nii.gz"))[0] for n in names]
        np.testing.assert_allclose(*fields, atol=1e-4, rtol=0)
        images = [decode_scan(stage.read(f"{n}registered_img.nii.gz")).data for n in names]
        np.testing.assert_allclose(*images, atol=1, rtol=0)
        for name, value in measures(row).items():
            assert measures(other)[name] == pytest.approx(value, abs=1e-4), name
