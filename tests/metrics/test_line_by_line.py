"""SSIM and residual difference line by line: what whole filtered volumes give."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lungreg import metrics
from lungreg.spatial.geometry import Grid
from tests.metrics.shapes import SHAPE, ball

pytest.importorskip("numba")

_R = TypeVar("_R")
SHAPES = [(23, 19, 31), (6, 40, 9), (1, 24, 24), (24, 1, 3)]
"""Larger and smaller than the windows of 11 voxels and of 25 mm, also of a single plane or line."""


@pytest.fixture
def by_volumes(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], _R]], _R]:
    """What SciPy's filters give where numba is missing."""

    def measured(work: Callable[[], _R]) -> _R:
        with monkeypatch.context() as patched:
            patched.setattr("lungreg.spatial.threads.has_numba", lambda: False)
            return work()

    return measured


def mask_of(rng: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Voxels here and there, some at the ends, and planes and lines without any."""
    mask = rng.random(shape) < 0.3
    mask[shape[0] // 2] = False
    mask[:, shape[1] // 3] = False
    mask[0, 0, 0] = mask[-1, -1, -1] = True
    return mask


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim(
    rng: np.random.Generator,
    by_volumes: Callable[[Callable[[], float]], float],
    shape: tuple[int, int, int],
) -> None:
    """To 1e-6, in any order of memory."""
    fixed = rng.random(shape, dtype=np.float32)
    warped = np.clip(fixed + rng.normal(0, 0.1, shape).astype(np.float32), 0, 1)
    mask = mask_of(rng, shape)
    found = metrics.ssim(fixed, warped, mask)
    assert found == pytest.approx(by_volumes(lambda: metrics.ssim(fixed, warped, mask)), abs=1e-6)
    turned = metrics.ssim(*(np.asfortranarray(it) for it in (fixed, warped, mask)))
    assert turned == found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spacing_mm", [(1.0, 2.5, 5.0), (4.9, 1.6, 0.7), (60.0, 3.0, 3.0)])
def test_residual_difference(
    rng: np.random.Generator,
    by_volumes: Callable[[Callable[[], float | None]], float | None],
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> None:
    """To 1e-5, for windows of an odd and an even number of voxels, of one and of more than all."""
    grid = Grid(shape=shape, affine=np.diag([*spacing_mm, 1.0]))
    fixed, warped = rng.random((2, *shape), dtype=np.float32)
    mask = mask_of(rng, shape)

    def measured() -> float | None:
        return metrics.residual_difference(fixed, warped, mask, grid)

    found, expected = measured(), by_volumes(measured)
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected, rel=1e-5)


def test_threads_change_nothing(rng: np.random.Generator) -> None:
    """Sums are taken of the same parts in the same order."""
    fixed, warped = rng.random((2, *SHAPE), dtype=np.float32)
    mask, grid = ball((9, 9, 9), 6), Grid(shape=SHAPE, affine=np.diag([2.0, 2.0, 2.0, 1.0]))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(
                (
                    metrics.ssim(fixed, warped, mask),
                    metrics.residual_difference(fixed, warped, mask, grid),
                )
            )
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
