"""What every measure requires of its arrays."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.metrics.comparable import require_same_shape, require_voxels


def test_arrays_have_one_shape_of_three_sizes() -> None:
    """Others are refused with their shapes."""
    require_same_shape(np.zeros((2, 3, 4)), np.zeros((2, 3, 4)))
    with pytest.raises(DataError, match=r"got \(2, 3, 4\) and \(2, 3, 5\)"):
        require_same_shape(np.zeros((2, 3, 4)), np.zeros((2, 3, 5)))
    with pytest.raises(DataError, match="one shape"):
        require_same_shape(np.zeros((2, 3)), np.zeros((2, 3)))


def test_a_mask_has_a_voxel() -> None:
    """A mean over nothing has no meaning."""
    require_voxels(np.ones((1, 1, 1), dtype=bool))
    with pytest.raises(DataError, match="at least one voxel"):
        require_voxels(np.zeros((3, 3, 3), dtype=bool))
