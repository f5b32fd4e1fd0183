"""The choice of `A`: closed forms on oblique grids, cut scans, and simulated breathing."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from lungreg.errors import DataError
from lungreg.registration.alignment import initial_alignment
from lungreg.sources.simulation import BreathingSettings, simulate_from_ct, simulate_pair
from lungreg.spatial.geometry import Grid, apply_affine

SIZE = (64, 56, 72)
SPACING_MM = (3.0, 4.0, 5.0)
SCALE = np.array([1.05, 0.95, 1.2])
SHIFT_MM = np.array([6.0, -9.0, 14.0])
LOW_MM, HIGH_MM = np.array([-45.0, -50.0, -100.0]), np.array([50.0, 45.0, 90.0])
AXIS_TURNS = {
    "same": [[0, 1], [1, 1], [2, 1]],
    "flipped": [[0, -1], [1, 1], [2, -1]],
    "turned": [[2, -1], [0, 1], [1, -1]],
}


def rotation():
    """A turn about two axes, so that no grid axis is a world axis."""
    a, b = np.deg2rad(20), np.deg2rad(-15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def oblique_grid(centre_ras=(10.0, -20.0, 300.0)):
    """An oblique anisotropic grid about a place in the world."""
    affine = np.eye(4)
    affine[:3, :3] = rotation() @ np.diag(SPACING_MM)
    affine[:3, 3] = np.array(centre_ras) - affine[:3, :3] @ ((np.array(SIZE) - 1) / 2)
    return Grid(shape=SIZE, affine=affine)


def box_scan(scale=1.0, shift_mm=0.0, rows=slice(None)):
    """Image, mask and grid of two ellipsoid lungs scaled and shifted along the grid's axes."""
    grid = oblique_grid()
    index = np.indices(SIZE).reshape(3, -1).T.astype(float)
    local = (grid.to_world(index) - grid.centre_ras) @ rotation()
    inner = ((local - shift_mm) / scale - (LOW_MM + HIGH_MM) / 2) / ((HIGH_MM - LOW_MM) / 2)
    lungs = (np.linalg.norm(inner, axis=1) < 1).reshape(SIZE)
    image = np.where(lungs, 0.15, 0.7).astype(np.float32)
    image += np.random.default_rng(5).normal(0, 0.02, SIZE).astype(np.float32)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array([[0.0, 0.0, rows.start or 0]]))[0]
    part = lungs[..., rows]
    return image[..., rows], Grid(shape=part.shape, affine=affine), part.astype(np.uint8)


def reordered(image, grid, mask, turn):
    """The same scan with its axes in another order and direction."""
    turn = np.array(turn)
    affine = grid.affine @ inv_ornt_aff(turn, image.shape)
    image, mask = (np.ascontiguousarray(apply_orientation(a, turn)) for a in (image, mask))
    return image, Grid(shape=image.shape, affine=affine), mask


def aligned(fixed, moving, mode, *, masks=True):
    """`initial_alignment` of two (image, grid, mask)."""
    return initial_alignment(
        *fixed[:2],
        *moving[:2],
        fixed_mask=fixed[2] if masks else None,
        moving_mask=moving[2] if masks else None,
        mode=mode,
    )


def true_affine(scale, shift_mm):
    """Scale and shift along the test grid's axes about its centre, in the world."""
    turn, centre = rotation(), oblique_grid().centre_ras
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(scale) @ turn.T
    affine[:3, 3] = centre + turn @ shift_mm - affine[:3, :3] @ centre
    return affine


def distance_mm(first, second):
    """Largest distance that two affines carry a point of the fixed lungs' box apart."""
    corners = np.array(np.meshgrid(*zip(LOW_MM, HIGH_MM, strict=True))).reshape(3, -1).T
    points = corners @ rotation().T + oblique_grid().centre_ras
    gap = apply_affine(first, points) - apply_affine(second, points)
    return np.linalg.norm(gap, axis=1).max()


class TestByGrids:
    def test_world(self):
        """World trusts the headers: the identity, without scores or warning."""
        result = aligned(box_scan(), box_scan(), "world")
        np.testing.assert_array_equal(result.affine, np.eye(4))
        assert (result.kind, result.warning, dict(result.scores)) == ("world", None, {})

    def test_grid(self):
        """Grid lays faces of voxels on faces: (i_m + .5) / N_m = (i_f + .5) / N_f."""
        fixed = np.zeros(SIZE, np.float32), oblique_grid(), None
        affine = np.diag([2.0, -1.5, 4.0, 1.0])
        moving = np.zeros((30, 90, 20), np.float32), Grid(shape=(30, 90, 20), affine=affine), None
        result = aligned(fixed, moving, "grid")
        index = np.random.default_rng(1).uniform(-0.5, 50, (20, 3))
        carried = moving[1].to_voxel(apply_affine(result.affine, fixed[1].to_world(index)))
        ratio = np.array((30, 90, 20)) / np.array(SIZE)
        np.testing.assert_allclose(carried + 0.5, (index + 0.5) * ratio, atol=1e-9)

    def test_centre(self):
        """Centre shifts, and carries the centre of one box onto that of the other."""
        fixed = np.zeros(SIZE, np.float32), oblique_grid(), None
        moving = np.zeros(SIZE, np.float32), oblique_grid((-80.0, 40.0, -900.0)), None
        result = aligned(fixed, moving, "centre")
        np.testing.assert_allclose(result.affine[:3, :3], np.eye(3))
        carried = apply_affine(result.affine, fixed[1].centre_ras[None])
        np.testing.assert_allclose(carried, [moving[1].centre_ras])

    @pytest.mark.parametrize("which", [0, 2])
    def test_not_on_its_grid(self, which):
        """An image or mask of another shape than its grid is refused."""
        fixed = list(box_scan())
        fixed[which] = fixed[which][1:]
        with pytest.raises(DataError, match=r"shape \(64, 56, 72\), got \(63, 56, 72\)"):
            aligned(fixed, box_scan(), "world")


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


@pytest.fixture(scope="module")
def breaths():
    """Simulated pairs by how much of the bases the expiration cuts off, mm."""
    return {
        cutoff_mm: [
            simulate_pair(
                4,
                index,
                shape=(64, 54, 64),
                spacing_mm=(4.8, 4.8, 4.8),
                settings=BreathingSettings(cutoff_mm=cutoff_mm),
            )
            for index in range(2)
        ]
        for cutoff_mm in (0.0, 40.0)
    }


def windowed(hu):
    """HU -1000 to 500 as 0 to 1."""
    return np.clip((hu.astype(np.float32) + 1000) / 1500, 0, 1)


def aligned_breath(pair, mode, *, masks, header_mm=(0.0, 0.0, 0.0)):
    """The alignment of a simulated pair and its landmark error in mm, moving header shifted."""
    affine = pair.moving_grid.affine.copy()
    affine[:3, 3] += header_mm
    moving_grid = Grid(shape=pair.moving_grid.shape, affine=affine)
    fixed = windowed(pair.fixed), pair.fixed_grid, pair.fixed_mask
    moving = windowed(pair.moving), moving_grid, pair.moving_mask
    result = aligned(fixed, moving, mode, masks=masks)
    carried = apply_affine(result.affine, pair.fixed_grid.to_world(pair.landmarks_vox[:, :3]))
    target = moving_grid.to_world(pair.landmarks_vox[:, 3:])
    return result, np.linalg.norm(carried - target, axis=1).mean()


class TestAuto:
    @pytest.mark.parametrize("masks", [True, False])
    @pytest.mark.parametrize("cutoff_mm", [0.0, 40.0])
    def test_never_worse_than_world(self, breaths, cutoff_mm, masks):
        """With bases cut off or not, the landmarks are at least as near as by the headers."""
        for pair in breaths[cutoff_mm]:
            _, by_headers_mm = aligned_breath(pair, "world", masks=masks)
            result, error_mm = aligned_breath(pair, "auto", masks=masks)
            assert error_mm <= by_headers_mm
            assert result.warning is None

    def test_masks_win_a_whole_breath(self, breaths):
        """On whole lungs the masks' candidate is taken, and halves the error."""
        for pair in breaths[0.0]:
            result, error_mm = aligned_breath(pair, "auto", masks=True)
            assert result.kind == "masks"
            assert error_mm < 0.6 * aligned_breath(pair, "world", masks=True)[1]

    @pytest.mark.parametrize("header_mm", [(0.0, 0.0, 120.0), (300.0, 300.0, -900.0)])
    @pytest.mark.parametrize("masks", [True, False])
    def test_wrong_headers(self, breaths, masks, header_mm):
        """Headers that place the scans apart lose, however little or badly they overlap."""
        for pair in breaths[0.0]:
            result, error_mm = aligned_breath(pair, "auto", masks=masks, header_mm=header_mm)
            assert result.kind != "world"
            assert error_mm < 20.0
            assert max(result.scores.values()) <= 1.0

    def test_grid_and_centre_do_not_stretch_a_cut_scan(self, breaths):
        """The cut is what makes laying box over box wrong, and auto does not fall for it."""
        for pair in breaths[40.0]:
            result, error_mm = aligned_breath(pair, "auto", masks=False)
            assert result.kind == "world"
            for mode in ("grid", "centre"):
                assert aligned_breath(pair, mode, masks=False)[1] > error_mm + 5.0

    def test_tie(self):
        """Of equals the headers win."""
        result = aligned(box_scan(), box_scan(), "auto")
        assert set(result.scores) == {"world", "grid", "centre", "masks"}
        assert result.kind == "world"

    def test_strangers(self):
        """Scans that agree nowhere get a warning."""
        rng, grid = np.random.default_rng(2), oblique_grid()
        noise = [rng.random(SIZE, dtype=np.float32) for _ in range(2)]
        result = aligned((noise[0], grid, None), (noise[1], grid, None), "auto")
        assert "hardly agree" in str(result.warning)

    @pytest.mark.real
    @pytest.mark.parametrize("masks", [True, False])
    def test_real_chest_cut_off(self, masks):
        """On a real chest with 40 mm of the bases cut off, auto is no worse than the headers."""
        if "LUNGREG_REAL_DATA" not in os.environ:
            pytest.skip("LUNGREG_REAL_DATA is unset: no real CT here")
        folder = Path(os.environ["LUNGREG_REAL_DATA"]) / "cip_ct64"
        image, mask = (nib.load(folder / name) for name in ("ct.nii.gz", "lung_mask.nii.gz"))
        pair = simulate_from_ct(
            image.get_fdata(dtype=np.float32),
            np.asarray(mask.dataobj),
            Grid(shape=image.shape, affine=image.affine),
            seed=3,
            index=2,
            settings=BreathingSettings(cutoff_mm=40.0),
        )
        _, by_headers_mm = aligned_breath(pair, "world", masks=masks)
        result, error_mm = aligned_breath(pair, "auto", masks=masks)
        assert result.kind in ("world", "masks")
        assert error_mm <= by_headers_mm
