"""Alignment by the boxes of the lungs: closed forms on oblique grids, and cut scans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.registration.alignment.lung_boxes import fit_boxes
from lungreg.registration.alignment.scan import make_scan
from lungreg.spatial.geometry import apply_affine
from tests.registration.alignment.chests import (
    AXIS_TURNS,
    SCALE,
    SHIFT_MM,
    aligned,
    box_scan,
    distance_mm,
    oblique_grid,
    reordered,
    rotation,
    true_affine,
)


class TestByMasks:
    @pytest.mark.parametrize("turn", AXIS_TURNS.values(), ids=AXIS_TURNS.keys())
    def test_scale_and_shift(self, turn):
        """Whole lungs are carried onto whole lungs, whatever the order of the moving axes."""
        moving = reordered(*box_scan(SCALE, SHIFT_MM), turn)
        result = aligned(box_scan(), moving, "masks")
        assert (result.kind, result.warning) == ("masks", None)
        assert distance_mm(result.affine, true_affine(SCALE, SHIFT_MM)) < 3.0
        assert distance_mm(np.eye(4), true_affine(SCALE, SHIFT_MM)) > 20.0

    def test_identical(self):
        """A scan is carried onto itself by the identity."""
        result = aligned(box_scan(), box_scan(), "masks")
        np.testing.assert_allclose(result.affine, np.eye(4), atol=1e-9)

    @pytest.mark.parametrize("turn", AXIS_TURNS.values(), ids=AXIS_TURNS.keys())
    @pytest.mark.parametrize("rows", [slice(26, 72), slice(0, 48)], ids=["below", "above"])
    def test_cut_axis_only_shifts(self, rows, turn):
        """Lungs that run into the border are shifted by their other end, and not stretched."""
        shift_mm = np.array([6.0, -9.0, 10.0])
        moving = reordered(*box_scan(1.0, shift_mm), turn)
        result = aligned(box_scan(rows=rows), moving, "masks")
        axis = rotation()[:, 2]
        assert axis @ result.affine[:3, :3] @ axis == pytest.approx(1.0)
        assert distance_mm(result.affine, true_affine(np.ones(3), shift_mm)) < 5.0

    def test_cut_moving_scan(self):
        """The same holds where the moving scan is the one that is cut."""
        shift_mm = np.array([6.0, -9.0, 10.0])
        result = aligned(box_scan(), box_scan(1.0, shift_mm, slice(26, 72)), "masks")
        assert distance_mm(result.affine, true_affine(np.ones(3), shift_mm)) < 5.0

    def test_a_mask_of_one_slice_is_not_stretched(self):
        """It has no length along one axis; nothing is divided by it."""
        image, grid, mask = box_scan()
        slice_alone = np.zeros_like(mask)
        slice_alone[..., 47] = mask[..., 47]
        result = aligned((image, grid, slice_alone), box_scan(SCALE, SHIFT_MM), "masks")
        axis = rotation()[:, 2]
        assert axis @ result.affine[:3, :3] @ axis == pytest.approx(1.0)

    def test_cut_at_both_ends(self):
        """With no end of its own an axis stays as the headers have it."""
        moving = box_scan(1.0, np.array([6.0, -9.0, 10.0]))
        result = aligned(box_scan(rows=slice(22, 50)), moving, "masks")
        axis, centre = rotation()[:, 2], oblique_grid().centre_ras
        carried = apply_affine(result.affine, centre[None])[0] - centre
        assert axis @ carried == pytest.approx(0.0, abs=1e-6)

    def test_padding_is_no_scan(self):
        """Slices of one value beyond a cut are padding: the scan ends before them."""
        image, grid, mask = box_scan()
        image[..., :26], mask[..., :26] = 0.0, 0
        shift_mm = np.array([6.0, -9.0, 10.0])
        result = aligned((image, grid, mask), box_scan(1.0, shift_mm), "masks")
        assert distance_mm(result.affine, true_affine(np.ones(3), shift_mm)) < 5.0

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_a_side_that_padding_cuts(self, side):
        """Lungs that end at padding are shifted by their other side, and not stretched onto it."""
        image, grid, mask = box_scan()
        columns = np.flatnonzero(mask.any(axis=(1, 2)))
        at = columns[0] + 10 if side == "left" else columns[-1] - 10
        shown = np.ones(image.shape, dtype=bool)
        shown[slice(0, at) if side == "left" else slice(at, None)] = False
        shift_mm = np.array([6.0, -9.0, 10.0])
        moving = make_scan(*box_scan(1.0, shift_mm))
        cut = replace(make_scan(image, grid, mask * shown), shown=shown)
        wrong, found = (fit_boxes(it, moving) for it in (replace(cut, shown=None), cut))
        axis = rotation()[:, 0]
        assert axis @ found.affine[:3, :3] @ axis == pytest.approx(1.0)
        assert axis @ wrong.affine[:3, :3] @ axis > 1.1
        assert distance_mm(found.affine, true_affine(np.ones(3), shift_mm)) < 5.0

    def test_too_different(self):
        """A scale beyond 0.7 to 1.4 is no breath: the headers are trusted, with a warning."""
        result = aligned(box_scan(), box_scan(np.array([1.0, 1.0, 0.6])), "masks")
        assert result.kind == "world"
        assert "factors of" in str(result.warning)
        np.testing.assert_array_equal(result.affine, np.eye(4))

    @pytest.mark.parametrize("empty", [False, True])
    def test_no_lungs(self, empty):
        """Without a mask, or with an empty one, the headers are trusted, with a warning."""
        fixed, moving = list(box_scan()), box_scan()
        fixed[2] = np.zeros_like(fixed[2]) if empty else None
        result = aligned(fixed, moving, "masks")
        assert result.kind == "world"
        assert "needs lungs in both scans" in str(result.warning)
