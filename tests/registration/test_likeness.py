"""Blocks of the lungs whose fine structure is unlike: random tissue, a part of it other tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lungreg.registration.likeness import unlike_share
from lungreg.spatial.geometry import Grid

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE, SPACING_MM = (60, 60, 72), (2.0, 2.0, 2.5)
GRID = Grid(shape=SHAPE, affine=np.diag([*SPACING_MM, 1.0]))
Values = NDArray[np.float32]


@dataclass
class Images:
    """What `unlike_share` looks at."""

    fixed: Values
    warped: Values
    fixed_mask: NDArray[np.bool_] | None
    outside: NDArray[np.bool_]
    grid: Grid = GRID
    hu_window: tuple[float, float] = (-1000.0, 500.0)


def tissue(seed: int) -> Values:
    """Random tissue, 0 to 1."""
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = gaussian_filter(noise, 1.2, mode="wrap")
    return (0.3 + 0.08 * smooth / smooth.std()).astype(np.float32)


def images(warped: Values, *, noise: float = 0.0) -> Images:
    """The lungs fill all but a rim of 6 voxels."""
    inside = np.zeros(SHAPE, dtype=bool)
    inside[6:-6, 6:-6, 6:-6] = True
    rng = np.random.default_rng(9)
    both = (scan + rng.normal(0, noise, SHAPE).astype(np.float32) for scan in (tissue(1), warped))
    fixed, warped = both
    return Images(fixed, warped, inside, np.zeros(SHAPE, dtype=bool))


@pytest.mark.parametrize("noise", [0.0, 0.06])
def test_the_same_tissue_goes_together(noise: float) -> None:
    """Also in noise, which lowers the correlation everywhere."""
    assert unlike_share(images(tissue(1), noise=noise)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("noise", [0.0, 0.04])
@pytest.mark.parametrize("slices", [16, 24])
def test_other_tissue_in_one_part(slices: int, noise: float) -> None:
    """The share of it, by whole blocks."""
    mixed = tissue(1)
    mixed[..., 6 : 6 + slices] = tissue(2)[..., 6 : 6 + slices]
    found = unlike_share(images(mixed, noise=noise))
    assert found == pytest.approx(slices / 60, abs=0.08)


def test_tissue_some_millimetres_away_is_unlike() -> None:
    """A third of the lungs is 8 mm away from where it was put."""
    mixed = tissue(1)
    mixed[..., :26] = np.roll(mixed, 4, axis=0)[..., :26]
    found = unlike_share(images(mixed))
    assert found is not None
    assert found > 0.2


def test_brightness_and_contrast_are_no_matter() -> None:
    """Air is let in: the same structure, darker and flatter."""
    assert unlike_share(images(np.float32(0.1) + np.float32(0.5) * tissue(1))) == 0.0


def test_what_lies_outside_of_the_moving_scan_is_not_judged() -> None:
    """There is nothing there to be like."""
    mixed = tissue(1)
    mixed[..., 40:] = 0.0
    given = images(mixed)
    given.outside[..., 36:] = True
    assert unlike_share(given) == 0.0


def test_the_edge_of_padding_is_not_judged() -> None:
    """Beside it contrast sees the edge, and not the tissue."""
    given, shown = images(tissue(1)), np.ones(SHAPE, dtype=bool)
    shown[24:28] = False
    given.fixed[~shown] = 0.0
    seen = unlike_share(given)
    assert seen is not None
    assert seen > 0.02
    assert unlike_share(given, shown) == 0.0


def test_not_known() -> None:
    """Without lungs, or where nothing correlates anywhere."""
    given = images(tissue(1))
    assert unlike_share(images(tissue(2))) is None
    given.fixed_mask = None
    assert unlike_share(given) is None


def test_the_order_in_memory_is_no_matter() -> None:
    """Scans of other orientations come in another order."""
    given = images(tissue(1))
    turned = images(tissue(1))
    turned.fixed, turned.warped = (np.asfortranarray(it) for it in (given.fixed, given.warped))
    assert unlike_share(turned) == unlike_share(given)
