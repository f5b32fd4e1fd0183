"""Checks of a pair's contents, each with what it refuses and what it only warns of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.volumes import Stored, Volume
from lungreg.sources.pair_checks import (
    MOST_LABELS,
    PairWarning,
    check_displacement,
    check_extent,
    check_landmarks,
    check_mask,
    check_units,
    errors_about,
)
from lungreg.spatial.geometry import Grid
from tests.small_cases import FIXED_GRID, MOVING_GRID, landmarks, scan, true_displacement

SHAPE = FIXED_GRID.shape
HU, LUNGS = scan(FIXED_GRID, 0)


def volume(data: NDArray[Any], grid: Grid = FIXED_GRID) -> Volume:
    return Volume(data=data, grid=grid, stored=Stored(dtype="int16"))


def shifted(share_of_voxel: float) -> Grid:
    """The fixed grid, moved by a share of its smallest spacing."""
    affine = FIXED_GRID.affine.copy()
    affine[0, 3] += share_of_voxel * FIXED_GRID.spacing_mm.min()
    return Grid(shape=SHAPE, affine=affine)


def labels(count: int) -> NDArray[np.int16]:
    """A mask of some labels, 0 among them."""
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) % count).astype(np.int16)


class TestMask:
    @pytest.mark.parametrize(
        ("mask", "match"),
        [
            (np.zeros(SHAPE, np.uint8), "neither empty nor full, got empty"),
            (np.full(SHAPE, 2, np.uint8), "neither empty nor full, got full"),
            (labels(MOST_LABELS + 1), "at most 128 different labels, got 129"),
        ],
    )
    def test_what_is_no_mask_of_lungs_is_refused(self, mask: NDArray[Any], match: str) -> None:
        """Nothing, everything, and the grey values of a scan."""
        with pytest.raises(DataError, match=match):
            check_mask(volume(mask), volume(HU))

    @pytest.mark.parametrize("mask", [LUNGS, labels(MOST_LABELS), np.asfortranarray(labels(5))])
    def test_lobes_and_segments_are_a_mask(self, mask: NDArray[Any]) -> None:
        """Up to 128 labels, in any order of memory."""
        check_mask(volume(mask), volume(HU))

    def test_it_lies_on_its_scans_grid(self) -> None:
        """Up to a hundredth of a voxel, as headers are rounded; not a tenth, nor another shape."""
        check_mask(volume(LUNGS, shifted(0.009)), volume(HU))
        with pytest.raises(DataError, match="lies on its scan's grid"):
            check_mask(volume(LUNGS, shifted(0.1)), volume(HU))
        _, other = scan(MOVING_GRID, 0)
        with pytest.raises(DataError, match="lies on its scan's grid"):
            check_mask(volume(other, MOVING_GRID), volume(HU))


class TestUnits:
    @pytest.mark.parametrize("offset", [0.0, 1000.0])
    def test_the_offset_of_a_ct_is_found(self, offset: float) -> None:
        """Without a warning."""
        noisy = HU + np.random.default_rng(0).normal(0, 10, SHAPE).astype(np.float32)
        assert check_units("fixed", volume(noisy + np.float32(offset)), LUNGS) == (offset, ())

    def test_what_looks_like_no_ct_is_warned_of(self) -> None:
        """By the role of the scan."""
        offset, (warning,) = check_units("moving", volume(HU * 0.05 + 5000), None)
        assert offset == 0.0
        assert str(warning) == (
            "implausible_hu: the moving scan does not look like Hounsfield units"
        )

    def test_a_mask_of_other_tissue_is_asked_about(self) -> None:
        """The values are right then."""
        noisy = HU + np.random.default_rng(0).normal(0, 10, SHAPE).astype(np.float32)
        offset, (warning,) = check_units("moving", volume(noisy), noisy > -300)
        assert offset == 0.0
        assert warning.text.endswith("units, or most of its mask does not lie in the lungs")

    def test_a_window_is_warned_of(self) -> None:
        """Lung and air are one value then, within Hounsfield units or with an offset."""
        noisy = HU + np.random.default_rng(0).normal(0, 10, SHAPE).astype(np.float32)
        for stored in (np.clip(noisy, -600, 400), np.clip(noisy, -600, 400) + 1000):
            _, (warning,) = check_units("fixed", volume(stored.astype(np.float32)), LUNGS)
            assert warning.code == "windowed_hu"
            assert "of the fixed scan are cut off at -600 HU" in warning.text


class TestLandmarks:
    def test_a_few_outside_are_warned_of(self) -> None:
        """In either scan, from half a voxel beyond the outer centres on."""
        points = landmarks(0)
        assert check_landmarks(points, FIXED_GRID, MOVING_GRID) == ()
        points[0, 0], points[1, 4], points[2, 2] = SHAPE[0] - 0.4, -0.6, SHAPE[2] - 0.6
        assert check_landmarks(points, FIXED_GRID, MOVING_GRID) == (
            PairWarning(code="landmarks_outside", text="landmarks outside their scan: 2 of 20"),
        )

    def test_most_outside_are_of_another_frame(self) -> None:
        """Points in mm are refused, with how to mend them."""
        points = landmarks(0)
        points[:, 3:] = MOVING_GRID.to_world(points[:, 3:])
        with pytest.raises(DataError, match=r"of 20 outside; convert them from mm to voxels"):
            check_landmarks(points, FIXED_GRID, MOVING_GRID)


def test_errors_say_which_file_they_are_about() -> None:
    """In front of the rule, where a log keeps it."""
    rule = "a scan is not constant"
    with pytest.raises(DataError) as caught, errors_about("fixed scan"):
        raise DataError(rule, got="7 everywhere", where="/secret/file")
    assert caught.value.anonymous == "fixed scan: a scan is not constant, got 7 everywhere"


class TestExtent:
    @pytest.mark.parametrize(("scale", "codes"), [(1.0, []), (1e3, ["implausible_extent"])])
    def test_a_chest_is_as_large_as_one(self, scale: float, codes: list[str]) -> None:
        """Between 10 cm and 1 m on every side; metres in the place of mm are far beyond."""
        for factor in (scale, 1 / scale):
            grid = Grid(
                shape=SHAPE, affine=np.diag([factor, factor, factor, 1]) @ FIXED_GRID.affine
            )
            assert [x.code for x in check_extent("fixed", volume(HU, grid))] == codes

    def test_a_part_of_a_chest_is_one(self) -> None:
        """A slab of 9 cm from head to foot, as wide as a chest."""
        grid = Grid(shape=SHAPE, affine=FIXED_GRID.affine @ np.diag([1, 1, 0.4, 1]))
        assert check_extent("fixed", volume(HU, grid)) == ()

    def test_the_warning_names_scan_and_size(self) -> None:
        """One side alone is enough."""
        grid = Grid(shape=SHAPE, affine=FIXED_GRID.affine @ np.diag([1, 1, 0.1, 1]))
        (warning,) = check_extent("moving", volume(HU, grid))
        assert warning.text.startswith("the moving scan is 280 x 240 x 23.4 mm large")


@pytest.mark.parametrize(
    ("factors", "is_off"),
    [
        ((1, 1, 1), False),
        ((-1, -1, -1), True),
        ((-1, -1, 1), True),
        ((0.1, 0.1, 0.1), True),
        ((0, 0, 0), True),
    ],
    ids=["right", "the way back", "RAS for LPS", "cm", "nothing"],
)
def test_a_displacement_that_misses_the_landmarks_is_told(
    factors: tuple[float, float, float], *, is_off: bool
) -> None:
    """It trains a network on what is not true."""
    motion = np.array([4.0, 7.0, 12.0], dtype=np.float32)[:, None, None, None]
    field = np.broadcast_to(motion, (3, *SHAPE)).copy()
    points = landmarks(0)
    moved = FIXED_GRID.to_world(points[:, :3]) + motion[:, 0, 0, 0]
    points[:, 3:] = MOVING_GRID.to_voxel(moved)
    scaled = field * np.array(factors, dtype=np.float32)[:, None, None, None]
    found = check_displacement(points, scaled, FIXED_GRID, MOVING_GRID)
    assert [warning.code for warning in found] == ["displacement_off_landmarks"] * is_off


def test_the_displacement_of_a_simulated_pair_meets_its_landmarks() -> None:
    """Turned and stretched, with landmarks between voxels."""
    assert check_displacement(landmarks(0), true_displacement(0), FIXED_GRID, MOVING_GRID) == ()
