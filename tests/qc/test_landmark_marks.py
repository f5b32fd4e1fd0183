"""Landmarks on a slice: where they lie, and the colours of their errors."""

from __future__ import annotations

import numpy as np

from lungreg.qc.colours import ERROR
from lungreg.qc.landmark_marks import mark_landmarks
from lungreg.qc.outlines import UNITS_PER_MM
from lungreg.qc.planes import lay_out
from lungreg.registration.landmark_places import LandmarkPlaces
from lungreg.spatial.geometry import Grid

GRID = Grid(shape=(30, 30, 30), affine=np.diag([4.0, 4.0, 4.0, 1.0]))


def landmarks(fixed, before_mm, after_mm):
    fixed = np.array(fixed, dtype=np.float64)
    before, after = (np.array(shift, dtype=np.float64) for shift in (before_mm, after_mm))
    return LandmarkPlaces(
        fixed_ras=fixed,
        before_ras=fixed + before,
        after_ras=fixed + after,
        aligned_mm=np.linalg.norm(before, axis=1),
        errors_mm=np.linalg.norm(after, axis=1),
    )


def test_marks_lie_where_pictures_show_the_landmark():
    """Before lies left of the fixed place by its x, after below by its z; colours are of errors."""
    coronal = lay_out(GRID, None).views[0]
    on = coronal.canonical.to_world(np.array([[15.0, coronal.index, 15.0]]))
    (mark,) = mark_landmarks(coronal, landmarks(on, [[9.0, 0, 0]], [[0, 0, -3.0]]))
    x, y = mark.fixed
    assert mark.before == (x - 9 * UNITS_PER_MM, y)
    assert mark.after == (x, y + 3 * UNITS_PER_MM)
    assert mark.before_colour == ERROR.anchors[-1]
    assert mark.after_colour not in ERROR.anchors[::4]
    assert mark.title == "3.0 mm, before 9.0 mm"


def test_only_landmarks_near_the_slice_are_drawn_the_worst_last():
    """A landmark far from the slice is not drawn; the largest error lies on top."""
    coronal = lay_out(GRID, None).views[0]
    on = coronal.canonical.to_world(np.array([15.0, coronal.index, 15.0]))
    shifts = [[0, 0, 5.0], [0, 0, 1.0], [0, 0, 2.0]]
    fixed = on + np.array([[0, 0, 0], [0, 7.0, 0], [9.0, 5.0, 0]])
    found = mark_landmarks(coronal, landmarks(fixed, shifts, shifts))
    assert [mark.title[:6] for mark in found] == ["2.0 mm", "5.0 mm"]
    assert mark_landmarks(coronal, None) == ()
