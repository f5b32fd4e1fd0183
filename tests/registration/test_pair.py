"""Reading the files of a case."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lungreg.errors import DataError, NotFoundError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import Stored, Volume, encode_labels
from lungreg.formats.volumes.volume import require_same_grid
from lungreg.records import Case
from lungreg.registration.intensity import hounsfield
from lungreg.registration.pair import read_pair, require_size
from lungreg.spatial.geometry import Grid, apply_affine
from lungreg.testing import MemoryStage
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, landmarks, put_case, scan


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


def test_reads_everything_a_case_has(stage: MemoryStage) -> None:
    """Scans on their grids, labels as they are, landmarks in voxels and in the world."""
    pair = read_pair(stage, put_case(stage, "a", seed=3))
    hu, mask = scan(FIXED_GRID, 3)
    assert pair.fixed.grid.same_as(FIXED_GRID)
    assert pair.moving.grid.same_as(MOVING_GRID)
    np.testing.assert_array_equal(pair.fixed.data, np.rint(hu))
    np.testing.assert_array_equal(pair.fixed_mask, mask)
    assert set(np.unique(pair.moving_mask)) == {0, 1, 2}
    np.testing.assert_allclose(pair.landmarks_vox, landmarks(3), atol=1e-5)
    assert pair.fixed_points_ras is not None
    carried = apply_affine(breath(3), pair.fixed_points_ras)
    np.testing.assert_allclose(pair.moving_points_ras, carried, atol=1e-3)


def test_the_exchanged_pair_keeps_what_is_known(stage: MemoryStage) -> None:
    """Scans, masks and offsets change places; lungs found once are not found again."""
    pair = read_pair(stage, put_case(stage, "a", seed=3, offset=1000.0))
    lungs = pair.moving_lungs
    other = pair.exchanged
    assert other.fixed is pair.moving
    assert other.moving_mask is pair.fixed_mask
    assert other.fixed_lungs is lungs
    assert other.case.fixed == pair.case.moving
    np.testing.assert_array_equal(other.fixed_hu, pair.moving_hu)
    np.testing.assert_array_equal(other.moving_hu, pair.fixed_hu)
    assert other.landmarks_vox is None
    assert other.exchanged.fixed_lungs.inside is not None


def test_masks_and_landmarks_may_be_missing(stage: MemoryStage) -> None:
    """Two scans make a case."""
    pair = read_pair(stage, put_case(stage, "a", masks=False, points=False))
    assert pair.fixed_mask is None
    assert pair.moving_mask is None
    assert pair.landmarks_vox is None
    assert pair.fixed_points_ras is None
    assert pair.moving_points_ras is None


def test_offset_is_taken_off_in_memory_alone(stage: MemoryStage) -> None:
    """Stored values stay as they are; Hounsfield units are without the case's offset."""
    plain = read_pair(stage, put_case(stage, "a"))
    shifted = read_pair(stage, put_case(stage, "b", offset=1000.0))
    assert shifted.moving.data.min() == 0.0
    np.testing.assert_array_equal(shifted.moving_hu, plain.moving_hu)
    np.testing.assert_array_equal(shifted.fixed_hu, plain.fixed_hu)
    assert shifted.moving_hu.dtype == np.float32
    assert hounsfield(plain.fixed, 0.0) is plain.fixed.data


@pytest.mark.parametrize("role", ["fixed", "moving", "fixed_mask", "landmarks"])
def test_missing_file_is_named(stage: MemoryStage, role: str) -> None:
    """A file that went from the stage is an error that says which."""
    case = put_case(stage, "a")
    stage.delete(f"{role}/a")
    with pytest.raises(NotFoundError) as caught:
        read_pair(stage, case)
    assert f"{role}/a" in str(caught.value)
    assert "/a" not in caught.value.anonymous


def test_damaged_file_is_told(stage: MemoryStage) -> None:
    """Half a file is no scan."""
    case = put_case(stage, "a")
    stage.write("moving/a", stage.read("moving/a")[:400])
    with pytest.raises(UnreadableFileError):
        read_pair(stage, case)


def test_scan_larger_than_allowed_is_not_opened(stage: MemoryStage) -> None:
    """The cap on voxels counts for scans and masks."""
    with pytest.raises(UnsafeInputError, match="at most 100 voxels"):
        read_pair(stage, put_case(stage, "a"), max_voxels=100)


def test_mask_of_another_grid_is_refused(stage: MemoryStage) -> None:
    """A moving mask on the fixed scan's grid is a mix-up, not a mask."""
    case = put_case(stage, "a")
    mixed = dataclasses.replace(case, moving_mask=case.fixed_mask)
    with pytest.raises(DataError, match="a mask lies on its scan's grid"):
        read_pair(stage, mixed)
    shifted = np.array(FIXED_GRID.affine)
    shifted[0, 3] += 1.0
    labels = encode_labels(
        np.ones(FIXED_GRID.shape, dtype=np.uint8), Grid(shape=FIXED_GRID.shape, affine=shifted)
    )
    stage.write("fixed_mask/a", labels)
    with pytest.raises(DataError, match="mm apart; resample"):
        read_pair(stage, case)


@pytest.mark.parametrize(("shift_vox", "is_same"), [(0.009, True), (0.011, False)])
def test_a_hundredth_of_a_voxel_is_forgiven(shift_vox: float, is_same: bool) -> None:
    """Headers written by other tools differ in the last digits."""
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    moved = np.array(affine)
    moved[0, 3] += shift_vox * 2.0
    scan_volume, mask = (
        Volume(
            data=np.zeros((3, 3, 3)),
            grid=Grid(shape=(3, 3, 3), affine=a),
            stored=Stored(dtype="uint8"),
        )
        for a in (affine, moved)
    )
    if is_same:
        require_same_grid(scan_volume, mask)
    else:
        with pytest.raises(DataError, match="grid"):
            require_same_grid(scan_volume, mask)


def test_case_without_anything_else_is_enough(stage: MemoryStage) -> None:
    """A case made by hand, of two names alone, can be read."""
    put_case(stage, "a")
    pair = read_pair(stage, Case(case_id="x", fixed="fixed/a", moving="moving/a"))
    assert pair.fixed.grid.same_as(FIXED_GRID)


@pytest.mark.parametrize("side", ["fixed", "moving"])
@pytest.mark.parametrize(("factor", "refused"), [(0.01, True), (0.3, False), (3, False), (6, True)])
def test_a_size_that_no_patient_has_is_refused(
    stage: MemoryStage, side: str, factor: float, refused: bool
) -> None:
    """Grids in mm around it would need all of the memory, or have no voxel."""
    pair = read_pair(stage, put_case(stage, "case_001"))
    whole: Volume = getattr(pair, side)
    affine = np.diag([factor, factor, factor, 1]) @ whole.grid.affine
    scaled = dataclasses.replace(whole, grid=Grid(shape=whole.grid.shape, affine=affine))
    odd = dataclasses.replace(pair, **{side: scaled})
    if not refused:
        require_size(odd)
        return
    with pytest.raises(DataError, match=rf"the {side} scan is as large as a chest.*spacing in its"):
        require_size(odd)
