"""Chests measured from masks."""

from __future__ import annotations

import numpy as np

from lungreg.sources.simulation.chest import bottom_face
from lungreg.spatial.geometry import Grid


def test_bottom_face_follows_the_affine() -> None:
    """The axis that runs along the body and its lower end are read from the affine."""
    upright = Grid(shape=(4, 5, 6), affine=np.diag([-2.0, -2.0, 3.0, 1.0]))
    assert bottom_face(upright) == (2, True)
    lying = np.array([[0, 2.0, 0, 0], [0, 0, 3.0, 0], [-2.5, 0, 0, 0], [0, 0, 0, 1]])
    assert bottom_face(Grid(shape=(4, 5, 6), affine=lying)) == (0, False)
