"""Landmarks of simulated pairs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lungreg.sources.simulation import SimulatedPair


def test_landmarks_lie_in_both_lungs_and_follow_the_motion(
    pairs: list[SimulatedPair], cut_pair: SimulatedPair
) -> None:
    """At least 100 spread points inside both masks, partners by the displacement to 0.5 mm."""
    for pair in (*pairs, cut_pair):
        fixed_vox, moving_vox = np.split(pair.landmarks_vox, 2, axis=1)
        assert len(fixed_vox) == 150
        assert (pair.fixed_mask[tuple(np.rint(fixed_vox).astype(int).T)] > 0).all()
        assert (pair.moving_mask[tuple(np.rint(moving_vox).astype(int).T)] > 0).all()
        u = [ndimage.map_coordinates(c, fixed_vox.T, order=1) for c in pair.displacement_mm]
        carried = pair.fixed_grid.to_world(fixed_vox) + np.stack(u, axis=1)
        gap_mm = np.linalg.norm(carried - pair.moving_grid.to_world(moving_vox), axis=1)
        assert gap_mm.max() < 0.5
        points = pair.fixed_grid.to_world(fixed_vox)
        between = np.linalg.norm(points[:, None] - points, axis=2) + 1e3 * np.eye(len(points))
        assert np.median(between.min(axis=1)) > 8.0
