"""The record of a file of points."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.formats.points.point_list import PointList


def test_labels_and_points_are_as_many() -> None:
    """None is lost without a word."""
    with pytest.raises(DataError, match="a label for each point"):
        PointList(points=np.zeros((2, 3)), frame=None, labels=("one",))
