"""The grid on which a refinement works."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.registration.refinement.scene import working_grid
from lungreg.spatial.mask_box import mask_box
from tests.registration.refinement.breathing_pairs import as_pair, simulated


@pytest.mark.parametrize("spacing_mm", [1.4, 2.0])
def test_its_voxels_do_not_move_with_masks_or_alignment(spacing_mm: float) -> None:
    """Smaller masks and a shifted `A` move its ends, by whole blocks of four voxels."""
    pair = as_pair(simulated())
    assert pair.fixed_mask is not None
    smaller = pair.fixed_mask.copy()
    for axis, part in enumerate(mask_box(smaller > 0)):
        np.moveaxis(smaller, axis, 0)[part.start : part.start + 7] = 0
    shifted = np.eye(4)
    shifted[:3, 3] = 31.3, -17.7, 23.9
    one = working_grid(pair, np.eye(4), spacing_mm)
    others = [
        working_grid(replace(pair, fixed_mask=smaller, moving_mask=smaller), np.eye(4), spacing_mm),
        working_grid(pair, shifted, spacing_mm),
    ]
    for other in others:
        apart = one.to_voxel(other.to_world(np.zeros((1, 3)))) / 4
        np.testing.assert_allclose(apart, np.rint(apart), atol=1e-6)
        assert np.abs(apart).max() >= 1
