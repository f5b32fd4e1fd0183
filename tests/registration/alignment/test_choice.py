"""The candidates for `A` in closed form, and which one `auto` takes on simulated breathing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lungreg.errors import DataError
from lungreg.registration.alignment import align
from lungreg.registration.pair import read_pair
from lungreg.sources.simulation import BreathingSettings, simulate_from_ct, simulate_pair
from lungreg.spatial.geometry import Grid, apply_affine
from lungreg.testing import MemoryStage
from tests.registration.alignment.chests import (
    SIZE,
    aligned,
    box_scan,
    oblique_grid,
)
from tests.registration.alignment.patients import (
    HU_WINDOW,
    cut,
    patient,
    turned,
    turned_over,
    with_header,
)
from tests.small_cases import put_case


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


TROUBLES = {
    "moving without 40 mm at the bases": lambda whole: cut(whole, "moving", "bases", 40.0),
    "moving without 80 mm at the apices": lambda whole: cut(whole, "moving", "apices", 80.0),
    "moving: upper half": lambda whole: cut(whole, "moving", "bases", 110.0),
    "fixed: lower half": lambda whole: cut(whole, "fixed", "apices", 110.0),
    "turned by 30 degrees": lambda whole: turned(whole, (12, -15, 23)),
    "turned and cut": lambda whole: cut(turned(whole, (0, 0, 25)), "moving", "bases", 60.0),
    "no header": lambda whole: with_header(whole, np.diag([4.8, 4.8, 4.8, 1.0])),
    "origins 1000 mm apart": lambda whole: with_header(
        whole, whole.pair.moving.grid.affine + np.outer([600, -600, 530, 0], [0, 0, 0, 1])
    ),
}


class TestTroubles:
    @pytest.mark.parametrize("masks", [True, False])
    @pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
    def test_no_catastrophe(self, trouble, masks):
        """Cut, turned or without a header: the alignment stays within the breath."""
        whole = trouble(patient())
        whole = whole if masks else whole.without_masks
        result = align(whole.pair, HU_WINDOW, "auto")
        assert whole.error_mm(result.affine) < 7.0
        assert result.warning is None

    def test_turned_is_fitted(self):
        """Turning is what no plain candidate can do."""
        whole = turned(patient(), (0, 0, 20))
        result = align(whole.pair, HU_WINDOW, "auto")
        assert result.kind == "fitted"
        best = max(score for kind, score in result.scores.items() if kind != "fitted")
        assert result.scores["fitted"] > best + 0.1


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

    def test_a_whole_breath(self, breaths):
        """On whole lungs the masks' candidate or a better one is taken, and halves the error."""
        for pair in breaths[0.0]:
            result, error_mm = aligned_breath(pair, "auto", masks=True)
            assert result.kind in ("masks", "fitted")
            assert result.scores[result.kind] >= result.scores["masks"]
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
            assert result.kind not in ("grid", "centre")
            for mode in ("grid", "centre"):
                assert aligned_breath(pair, mode, masks=False)[1] > error_mm + 5.0

    def test_tie(self):
        """Of equals the headers win."""
        result = aligned(box_scan(), box_scan(), "auto")
        assert set(result.scores) == {"world", "grid", "centre", "masks", "fitted"}
        assert result.kind == "world"
        np.testing.assert_array_equal(result.affine, np.eye(4))

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
        assert result.kind in ("world", "masks", "fitted")
        assert error_mm <= by_headers_mm


def test_masks_are_said_of_masks_that_were_given():
    """Lungs that were found by threshold in either scan are called lungs."""
    stage = MemoryStage()
    pair = read_pair(stage, put_case(stage, "a", seed=1))
    assert align(pair, (-1000.0, 500.0), "masks").kind == "masks"
    for name in ("fixed_lungs", "moving_lungs"):
        other = dataclasses.replace(pair)
        vars(other)[name] = dataclasses.replace(getattr(pair, name), known_from="threshold")
        found = align(other, (-1000.0, 500.0), "masks")
        assert found.kind == "lungs"
        assert "mask" not in (found.warning or "")


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("degrees", [(0, 0, 180), (180, 0, 0), (0, 180, 0), (0, 0, -90)])
def test_a_header_that_says_wrong_how_the_patient_lay(degrees, masks):
    """Supine for prone, head for feet first, and axes in another order."""
    right = patient()
    wrong = turned_over(right, degrees)
    pair = (wrong if masks else wrong.without_masks).pair
    expected = right.error_mm(align(right.pair, HU_WINDOW, "auto").affine)
    found = align(pair, HU_WINDOW, "auto")
    assert found.kind == "fitted"
    assert wrong.error_mm(found.affine) < 1.3 * expected
