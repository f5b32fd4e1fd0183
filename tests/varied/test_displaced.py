"""Displaced tissue: the truth goes where the scan shows it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import spearmanr

from tests.varied.displaced import DISPLACED, make_displaced
from tests.varied.pairs import make_varied


@pytest.mark.parametrize("kind", sorted(DISPLACED))
def test_the_truth_finds_the_same_tissue(kind: str) -> None:
    """What the plain moving scan shows at its truth, the changed one shows at the new one.

    Lung that is pressed together is denser: by rank it is the same.
    """
    plain, case = make_varied("small", "none", 4), make_displaced(kind, "small", 4)
    grid = plain.pair.fixed.grid
    deep = ndimage.binary_erosion(plain.fixed_mask > 0)
    points = grid.to_world(np.argwhere(deep).astype(np.float64))
    was, now = plain.true_moving(points), case.true_moving(points)
    moved = np.linalg.norm(now - was, axis=1) > 1.0
    assert 0.05 < moved.mean() < 0.9
    seen = [
        ndimage.map_coordinates(it.pair.moving_hu, it.pair.moving.grid.to_voxel(at).T, order=1)
        for it, at in ((plain, was), (case, now))
    ]
    known = moved & (np.abs(seen[0]) < 950)
    assert spearmanr(seen[0][known], seen[1][known]).statistic > 0.45
    # Beside what has moved, other tissue comes into the mean between voxels.
    assert np.quantile(np.abs(seen[0] - seen[1])[~moved], 0.8) < 1


def test_the_same_arguments_make_the_same_pair() -> None:
    """And another seed another one."""
    one, same, other = (make_displaced("pneumothorax", "small", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.pair.moving.data, same.pair.moving.data)
    assert not np.array_equal(one.pair.moving.data, other.pair.moving.data)
    assert one.trouble == "pneumothorax"
