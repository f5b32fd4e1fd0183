"""Landmarks of the moving scan, carried to where pictures of the fixed one show them."""

from __future__ import annotations

import dataclasses

import numpy as np

from lungreg.registration.landmark_places import place_landmarks
from lungreg.registration.pair import read_pair
from lungreg.spatial.geometry import Transform
from lungreg.testing import MemoryStage
from tests.small_cases import FIXED_GRID, put_case


def test_before_and_after_are_where_the_pictures_show_them():
    """Aligned by 3 mm and deformed by 5 mm, a landmark is shown at its place less these."""
    stage = MemoryStage()
    pair = read_pair(stage, put_case(stage, "a", seed=1))
    field = np.zeros((3, *FIXED_GRID.shape), dtype=np.float32)
    field[2] = 5.0
    affine = np.eye(4)
    affine[0, 3] = 3.0
    found = place_landmarks(pair, Transform(affine=affine, displacement_mm=field, grid=FIXED_GRID))
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    np.testing.assert_array_equal(found.fixed_ras, fixed)
    np.testing.assert_allclose(found.before_ras, moving - [3.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.after_ras, moving - [3.0, 0.0, 5.0], atol=1e-4)
    # Nothing is stretched here, so that errors are the distances that the pictures show.
    for at, errors in ((found.before_ras, found.aligned_mm), (found.after_ras, found.errors_mm)):
        np.testing.assert_allclose(errors, np.linalg.norm(at - fixed, axis=1), rtol=1e-4)
    assert place_landmarks(dataclasses.replace(pair, landmarks_vox=None), None) is None
