"""Memory is estimated, and where it is short the grid becomes coarser."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lungreg.errors import ResourceError
from lungreg.registration.pair import Pair
from lungreg.registration.refinement import (
    levels as run,
)
from lungreg.registration.refinement import (
    memory_budget as memory,
)
from lungreg.registration.refinement import (
    plan_for,
    refine,
)
from lungreg.registration.refinement.memory_budget import (
    available_bytes,
    estimated_bytes,
    fitting_plan,
    usual_bytes,
)
from lungreg.registration.refinement.scene import Scene
from lungreg.spatial.geometry import Grid
from tests.registration.refinement.breathing_pairs import as_pair, mean_error_mm, simulated

CPU = torch.device("cpu")


def cube(spacing_mm: float, side_mm: float = 300.0) -> Grid:
    """A chest."""
    n = round(side_mm / spacing_mm)
    return Grid(shape=(n, n, n), affine=np.diag([spacing_mm] * 3 + [1.0]))


def test_grows_no_faster_than_the_voxels() -> None:
    """Eight times the voxels take at most eight times the memory."""
    plan = plan_for("default")
    one, eight = (estimated_bytes(plan, cube(2.0, side)) for side in (150.0, 300.0))
    assert one < eight <= 8 * one


def test_a_large_scan_fits_into_8_gb() -> None:
    """Lungs of 330 x 300 x 370 mm: 192 x 192 x 208 voxels of 1.75 mm."""
    assert estimated_bytes(plan_for("default"), cube(2.0, 335.0)) < 3.2e9


def test_usual_is_about_a_deep_breath() -> None:
    """What a machine's memory is divided by: within a factor of 1.5 of the scan above."""
    plan = plan_for("default")
    ratio = usual_bytes(plan) / estimated_bytes(plan, cube(2.0, 335.0))
    assert 1 / 1.5 < ratio < 1.5


def test_enough_memory_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """And the estimate is logged before the start."""
    with caplog.at_level(logging.INFO):
        plan, grid, notes = fitting_plan(plan_for("fast"), cube, CPU)
    assert (plan, notes) == (plan_for("fast"), ())
    assert grid.same_as(cube(2.0))
    assert "takes about" in caplog.text


def test_short_memory_makes_the_grid_coarser(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, and never beyond what there is."""
    free = estimated_bytes(plan_for("default"), cube(2.0)) // 5
    monkeypatch.setattr(memory, "available_bytes", lambda *_, **__: free)
    plan, grid, (note,) = fitting_plan(plan_for("default"), cube, CPU)
    assert 3.0 < plan.spacing_mm < 5.0
    assert estimated_bytes(plan, grid) <= free
    assert "memory is short" in note
    assert note in caplog.text
    monkeypatch.setattr(memory, "available_bytes", lambda *_, **__: 1_000_000)
    with pytest.raises(ResourceError, match=r"coarsest grid, got 0\.00 GB free"):
        fitting_plan(plan_for("default"), cube, CPU)


def test_a_container_limits_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may have more than the container."""
    limit, usage = tmp_path / "max", tmp_path / "current"
    limit.write_text("1000000000\n")
    usage.write_text("400000000\n")
    monkeypatch.setattr(memory, "CGROUP_LIMITS", ((str(limit), str(usage)),))
    assert available_bytes(CPU) == 600_000_000
    assert available_bytes(CPU, processes=2) == 500_000_000
    assert available_bytes(CPU, processes=1) == 600_000_000
    limit.write_text("max\n")
    assert available_bytes(CPU) > 600_000_000


@pytest.mark.slow
def test_running_out_on_the_way_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """An allocation that fails starts the refinement again on a coarser grid, with a note."""
    calls: list[tuple[int, ...]] = []
    real = run.self_similarity

    def failing(image: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(image.shape))
        if len(calls) == 1:
            raise torch.OutOfMemoryError
        return real(image)

    monkeypatch.setattr(run, "self_similarity", failing)
    pair = as_pair(simulated())
    found = refine(pair, np.eye(4), replace(plan_for("fast"), spacing_mm=4.0), device=CPU)
    first, *again = map(np.prod, calls)
    assert len(again) >= 2
    assert max(again) < first
    assert "memory ran out" in found.notes[0]
    assert mean_error_mm(pair, found.transform) < 5.0


@pytest.mark.slow
def test_running_out_on_the_way_back_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole refinement starts again on a coarser grid, both ways."""
    real, ways = run.make_scene, list[Pair]()
    pair = as_pair(simulated())

    def failing(given: Pair, *rest: Any) -> Scene:
        ways.append(given)
        if given is not pair and sum(way is not pair for way in ways) == 1:
            raise MemoryError
        return real(given, *rest)

    monkeypatch.setattr(run, "make_scene", failing)
    found = refine(pair, np.eye(4), replace(plan_for("default"), spacing_mm=4.0), device=CPU)
    assert [way is pair for way in ways][-1] is False
    assert sum(way is not pair for way in ways) == 2
    assert "memory ran out" in found.notes[0]
    assert mean_error_mm(pair, found.transform) < 5.0


def test_the_way_back_looks_at_the_moving_lungs() -> None:
    """Where these are larger, so is its grid; of a plan without it nothing changes."""
    plan, grid = plan_for("default"), cube(2.0)
    once, larger = (estimated_bytes(plan, grid, growth=growth) for growth in (1.0, 1.5))
    assert once < larger < 1.5 * once
    alone = replace(plan, back=None)
    assert estimated_bytes(alone, grid, growth=1.5) == estimated_bytes(alone, grid)


def test_a_gpu_has_room_where_earlier_cases_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch keeps it: a second pair would get a coarser grid than the first one."""
    counts = {"mem_get_info": (2_000, 9_000), "memory_reserved": 6_500, "memory_allocated": 500}
    for name, found in counts.items():
        monkeypatch.setattr(torch.cuda, name, lambda _, found=found: found)
    assert available_bytes(torch.device("cuda")) == 8_000
    assert available_bytes(torch.device("cuda"), processes=3) == 3_000
