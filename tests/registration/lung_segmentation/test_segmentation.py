"""Lungs by threshold: a phantom whose lungs are known, and the real CTs with their masks."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.metrics import dice
from lungreg.registration.lung_segmentation import (
    LEFT_LUNG,
    RIGHT_LUNG,
    search_lungs,
    segment_lungs,
)
from lungreg.spatial.geometry import Grid
from tests.registration.lung_segmentation.hard_inputs import HARD, Scan
from tests.registration.lung_segmentation.phantom import RIGHT_X_MM, SHAPE, Phantom, make_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """The same for all tests."""
    return make_phantom()


def test_a_lung_with_a_waist_is_not_taken_for_both(phantom) -> None:
    """The larger lung nearly falls into two parts side by side; the other one still counts."""
    hu, truth, grid = phantom
    x, y, _ = grid.to_world(np.indices(SHAPE).reshape(3, -1).T).T.reshape(3, *SHAPE)
    waist = (truth == RIGHT_LUNG) & (np.abs(x - RIGHT_X_MM) < 14) & (np.abs(y) > 7)
    hu, lungs = np.where(waist, np.float32(30.0), hu), (truth > 0) & ~waist
    hu = np.where((truth == LEFT_LUNG) & (y > 10), np.float32(30.0), hu)
    found = segment_lungs(hu, grid)
    assert dice(lungs & (truth == LEFT_LUNG) & (y <= 10), found == LEFT_LUNG) > 0.9
    assert dice(lungs & (truth == RIGHT_LUNG), found == RIGHT_LUNG) > 0.8


def turned(volume: NDArray, grid: Grid, codes: str, tilt_deg: float = 0.0) -> tuple[NDArray, Grid]:
    """The same place with its axes in another order and direction, and turned about x."""
    turn = axcodes2ornt(codes)
    forth = np.column_stack([np.argsort(turn[:, 0]), turn[np.argsort(turn[:, 0]), 1]])
    array = np.ascontiguousarray(apply_orientation(volume, forth))
    c, s = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
    tilt = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    affine = tilt @ grid.affine @ inv_ornt_aff(forth, volume.shape)
    return array, Grid(shape=array.shape, affine=affine)


def test_phantom(phantom):
    """Both lungs are found, on their sides, without table, trachea or stomach gas."""
    hu, truth, grid = phantom
    found = segment_lungs(hu, grid)
    assert found.dtype == np.uint8
    for value in (RIGHT_LUNG, LEFT_LUNG):
        assert dice(truth == value, found == value) > 0.97


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SPL", "AIR"])
def test_any_orientation(phantom, codes):
    """The order, direction and a tilt of the axes make no difference."""
    hu, _, grid = phantom
    array, other = turned(hu, grid, codes, tilt_deg=12.0)
    expected, _ = turned(segment_lungs(hu, grid), grid, codes)
    assert "".join(nib.aff2axcodes(other.affine)) == codes
    np.testing.assert_array_equal(segment_lungs(array, other), expected)


@pytest.mark.parametrize("rows", [slice(14, 60), slice(0, 40), slice(20, 42)])
def test_cut_above_or_below(phantom, rows):
    """Lungs that end at the top or bottom of the volume are lungs, not outside air."""
    hu, truth, grid = phantom
    found = segment_lungs(hu[..., rows], Grid(shape=hu[..., rows].shape, affine=grid.affine))
    cut = truth[..., rows]
    for value in (RIGHT_LUNG, LEFT_LUNG):
        assert dice(cut == value, found == value) > 0.96


def test_cut_at_the_side(phantom):
    """A field of view that cuts body and lung at the side keeps the rest of that lung."""
    hu, truth, grid = phantom
    rows = slice(12, 54)
    found = segment_lungs(hu[rows], Grid(shape=hu[rows].shape, affine=grid.affine))
    assert dice(truth[rows] > 0, found > 0) > 0.95


@pytest.mark.parametrize("blocks", [(2, 2, 2), (3, 3, 1)])
def test_finer_and_anisotropic(phantom, blocks):
    """A finer or anisotropic grid of the same chest finds the same lungs."""
    hu, truth, grid = phantom
    for axis, block in enumerate(blocks):
        hu, truth = np.repeat(hu, block, axis=axis), np.repeat(truth, block, axis=axis)
    fine = grid.resized(hu.shape)
    found = segment_lungs(hu, fine)
    for value in (RIGHT_LUNG, LEFT_LUNG):
        assert dice(truth == value, found == value) > 0.97


def test_joined_lungs_are_parted(phantom):
    """Lungs that touch in front of the heart still get a side each."""
    hu, truth, grid = phantom
    bridged = hu.copy()
    bridged[28:38, 27:31, 30:34] = -420.0
    found = segment_lungs(bridged, grid)
    for value in (RIGHT_LUNG, LEFT_LUNG):
        assert dice(truth == value, found == value) > 0.95


def test_one_lung(phantom):
    """With one lung opacified the other is still found; left and right cannot be distinguished."""
    hu, truth, grid = phantom
    white = np.where(truth == LEFT_LUNG, np.float32(20.0), hu)
    found = segment_lungs(white, grid)
    assert dice(truth == RIGHT_LUNG, found == RIGHT_LUNG) > 0.96
    assert not (found == LEFT_LUNG).any()


@pytest.mark.parametrize("value", [-1000.0, 40.0])
def test_no_lungs(value):
    """A volume of nothing but air or tissue gives an empty mask, not an error."""
    hu = np.full((20, 20, 20), value, dtype=np.float32)
    assert not segment_lungs(hu, Grid(shape=hu.shape, affine=np.eye(4))).any()


def test_other_grid():
    """A scan that is not on its grid is refused."""
    with pytest.raises(DataError, match=r"shape \(4, 4, 5\), got \(4, 4, 4\)"):
        segment_lungs(np.zeros((4, 4, 4), np.float32), Grid(shape=(4, 4, 5), affine=np.eye(4)))


@pytest.mark.parametrize("name", HARD)
def test_hard_inputs(phantom: Phantom, name: str) -> None:
    """Lungs are found wherever they can be seen."""
    hu, lungs, grid = phantom
    scan = HARD[name](Scan(hu=hu, lungs=lungs > 0, grid=grid))
    assert dice(scan.lungs, segment_lungs(scan.hu, scan.grid) > 0) > 0.95


@pytest.mark.parametrize("scaled", [False, True])
def test_a_chest_without_air(phantom: Phantom, scaled: bool) -> None:
    """Lungs that are all white are not found, and nothing else is taken for them."""
    hu, lungs, grid = phantom
    solid = np.where(lungs > 0, np.float32(35), hu)
    if scaled:
        solid = np.clip((solid + 1000) / 1400, 0, 1)
    assert not segment_lungs(solid, grid).any()


def test_a_negative_has_no_lungs(phantom: Phantom) -> None:
    """In other units, the body around bright lungs is not taken for them."""
    hu, _, grid = phantom
    assert not segment_lungs(np.abs(hu) / 50, grid).any()


@pytest.mark.parametrize("side", [None, RIGHT_LUNG, LEFT_LUNG])
def test_one_lung_alone_is_told(phantom: Phantom, side: int | None) -> None:
    """Whichever it is; two lungs that hang together are not one."""
    hu, lungs, grid = phantom
    bridged = hu.copy()
    bridged[20:46, 20:34, 20:40] = -820.0
    white = bridged if side is None else np.where(lungs == side, np.float32(35), hu)
    assert search_lungs(white, grid).one_side is (side is not None)


REAL = {
    "cip_ct64": ("ct.nii.gz", "lung_mask.nii.gz"),
    "lung_fcp": ("ct_1p5mm.nii.gz", "lung_mask_1p5mm.nii.gz"),
}


def real_scan(folder: Path, name: str) -> Scan:
    """A real CT as far as its mask goes: that of lung_fcp ends above its three lowest slices."""
    image, mask = (nib.load(folder / name / file) for file in REAL[name])
    lungs = np.asarray(mask.dataobj) > 0
    rows = np.flatnonzero(lungs.any(axis=(0, 1)))
    box = (slice(0, image.shape[0]), slice(0, image.shape[1]), slice(rows[0], rows[-1] + 1))
    box = box if name == "lung_fcp" else tuple(slice(0, n) for n in image.shape)
    grid = Grid(shape=image.shape, affine=image.affine).cropped(box)
    return Scan(hu=image.get_fdata(dtype=np.float32)[box], lungs=lungs[box], grid=grid)


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real(real_data: Path, name: str) -> None:
    """On real CT the lungs are those of the masks that came with it, each on its side."""
    scan = real_scan(real_data, name)
    found = segment_lungs(scan.hu, scan.grid)
    assert dice(scan.lungs, found > 0) > 0.97
    right, left = (scan.grid.to_world(np.argwhere(found == value)) for value in (1, 2))
    assert right[:, 0].mean() > left[:, 0].mean() + 80
    assert io_orientation(scan.grid.affine)[0, 1] == -1


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_hard_inputs_of_real_scans(real_data: Path, name: str) -> None:
    """The same of real CT: real noise, vessels, table and partial volumes."""
    scan = real_scan(real_data, name)
    for what, change in HARD.items():
        hard = change(scan)
        assert dice(hard.lungs, segment_lungs(hard.hu, hard.grid) > 0) > 0.95, what
