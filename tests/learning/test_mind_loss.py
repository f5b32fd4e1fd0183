"""The loss by self-similarity, against its definition in NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates

from lungreg.config import Loss
from lungreg.learning.loss_input import LossInput
from lungreg.learning.losses import TERMS, active_terms, case_terms
from lungreg.learning.mind_loss import mind
from lungreg.spatial.geometry import Grid
from tests.grids import voxels

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (18, 16, 20)
UNIT = Grid(shape=SHAPE, affine=np.eye(4))
CUT = Grid(shape=(18, 16, 13), affine=np.eye(4))
"""A moving scan that ends after two thirds of the last axis."""


def texture(seed: int = 0) -> NDArray[np.float64]:
    """Smooth noise between 0 and 1."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 1.5)
    return (noise - noise.min()) / np.ptp(noise)


def case(
    fixed: NDArray[np.float64],
    moving: NDArray[np.float64],
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    moving_grid: Grid = UNIT,
) -> LossInput:
    """Two images after a network that shifts the moving one."""
    field = torch.tensor(shift, dtype=torch.float64).view(1, 3, 1, 1, 1)
    return LossInput(
        fixed=torch.as_tensor(fixed)[None, None],
        moving=torch.as_tensor(moving)[None, None],
        displacement_vox=field.expand(1, 3, *SHAPE).clone(),
        grid=UNIT,
        moving_grid=moving_grid,
    )


def value(given: LossInput) -> float:
    """The loss as a number."""
    found = mind(given, Loss())
    assert found is not None
    return float(found)


def self_similarity(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """(12, X, Y, Z) MIND-SSC by whole-array arithmetic."""
    steps = [2 * sign * np.eye(3, dtype=int)[axis] for axis in range(3) for sign in (1, -1)]
    padded = np.pad(image, 2, mode="edge")

    def shifted(step: NDArray[np.int_]) -> NDArray[np.float64]:
        x, y, z = (slice(2 + s, 2 + s + n) for s, n in zip(step, image.shape, strict=True))
        return padded[x, y, z]

    def patch_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        around = np.pad(values, 1, mode="edge")
        nx, ny, nz = values.shape
        cubes = itertools.product(range(3), repeat=3)
        return sum(around[i : i + nx, j : j + ny, k : k + nz] for i, j, k in cubes) / 27  # type: ignore[return-value]

    pairs = [(a, b) for a, b in itertools.combinations(steps, 2) if a @ b == 0]
    distances = np.stack([patch_mean((shifted(a) - shifted(b)) ** 2) for a, b in pairs])
    distances -= distances.min(axis=0)
    variance = distances.mean(axis=0)
    variance = np.clip(variance, 1e-3 * variance.mean(), 1e3 * variance.mean())
    return np.asarray(np.exp(-distances / variance))


@pytest.mark.parametrize("moving_grid", [UNIT, CUT])
def test_equals_its_definition(moving_grid: Grid) -> None:
    """Mean over channels and the places that both scans show with three voxels around them."""
    fixed, moving, shift = texture(0), texture(1), np.array([1.5, -2.0, 0.5])
    there = voxels(UNIT) + shift
    warped = map_coordinates(moving, there.T, order=1, mode="nearest").reshape(SHAPE)
    distance = ((self_similarity(fixed) - self_similarity(warped)) ** 2).mean(axis=0)
    shown = (UNIT.contains(there) & moving_grid.contains(there)).reshape(SHAPE)
    inner = binary_erosion(shown, np.ones((7, 7, 7)), border_value=1)
    assert 0 < inner.sum() < inner.size
    x, y, z = shift
    found = value(case(fixed, moving, (x, y, z), moving_grid))
    assert found == pytest.approx(float(distance[inner].mean()), rel=1e-4)


def test_falls_as_the_scans_come_together() -> None:
    """The better the network undoes a shift of three voxels, the lower; at the end it is 0."""
    image = texture()
    moved = np.roll(image, 3, axis=0)
    values = [value(case(image, moved, (float(s), 0.0, 0.0))) for s in (0, 1, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.0, abs=1e-9)
    assert values[0] > 0.01


def test_brightness_does_not_matter() -> None:
    """Lungs that fill with air grow darker, and still are the same."""
    image = texture()
    assert value(case(image, 0.3 * image + 0.1)) < 1e-3 * value(case(image, texture(1)))


def test_what_a_scan_does_not_show_does_not_count() -> None:
    """Beyond the end of the moving scan there may be anything."""
    image = texture()
    filled = image.copy()
    filled[:, :, 13:] = 0.0
    assert value(case(image, filled)) > 0.01
    assert value(case(image, filled, moving_grid=CUT)) < 1e-9


def test_gradient_is_finite_and_that_of_the_value() -> None:
    """On texture, as finite differences say; on images without any, and with none shown, finite."""
    given = case(texture(0), texture(1))
    field = (given.displacement_vox + 0.3).requires_grad_()

    def loss(displacement: torch.Tensor) -> torch.Tensor:
        found = mind(replaced(given, displacement), Loss())
        assert found is not None
        return found

    (gradient,) = torch.autograd.grad(loss(field), field)
    direction = torch.randn(field.shape, generator=torch.Generator().manual_seed(0)).double()
    step = 1e-5
    with torch.no_grad():
        ahead, behind = loss(field + step * direction), loss(field - step * direction)
    expected = float((ahead - behind) / (2 * step))
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-2)
    flat = np.zeros(SHAPE)
    far = (100.0, 0.0, 0.0)
    for bare in (case(flat, flat), case(texture(0), flat), case(texture(0), texture(1), far)):
        field = bare.displacement_vox.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_of(bare, field), field)
        assert torch.isfinite(gradient).all()


def replaced(given: LossInput, displacement: torch.Tensor) -> LossInput:
    """The case after another network."""
    return LossInput(
        fixed=given.fixed,
        moving=given.moving,
        displacement_vox=displacement,
        grid=given.grid,
        moving_grid=given.moving_grid,
    )


def loss_of(given: LossInput, displacement: torch.Tensor) -> torch.Tensor:
    """The loss of a case after another network."""
    found = mind(replaced(given, displacement), Loss())
    assert found is not None
    return found


def test_is_a_term_that_is_off_by_default() -> None:
    """Listed under its name once it has a weight, for every case."""
    assert TERMS["mind"] is mind
    assert "mind" not in active_terms(Loss())
    assert "mind" in case_terms(case(texture(0), texture(1)), Loss(mind=1.0))
