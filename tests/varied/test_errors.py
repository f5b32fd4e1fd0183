from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lungreg.spatial.displacement import dense_displacement, jacobian_determinant, transform_points
from tests.varied import ERRORS, VariedCase, make_error, make_varied


@pytest.fixture(scope="module")
def case() -> VariedCase:
    return make_varied("small", "none", 1)


@pytest.mark.parametrize("size", [3, 5, 8, 10, 15])
def test_an_inner_error_has_its_size_in_the_depth_and_leaves_the_outlines(
    size: int, case: VariedCase
) -> None:
    """No landmark is off by more; the surface of the lungs is off by a fraction of it."""
    transform = make_error(f"inner{size}", case, 1)
    sampled_mm = case.error_mm(case.true_transform()).max()
    assert 0.9 * size < case.error_mm(transform).max() < 1.05 * size + sampled_mm
    grid = case.pair.fixed.grid
    surface = (case.fixed_mask > 0) & ~ndimage.binary_erosion(case.fixed_mask > 0)
    points = grid.to_world(np.argwhere(surface)[::5].astype(float))
    off = transform_points(transform, points) - case.true_moving(points)
    assert np.median(np.linalg.norm(off, axis=1)) < 0.4 * size


@pytest.mark.parametrize(("name", "least", "most"), [("good", 0.4, 1.4), ("slid10", 7.0, 10.5)])
def test_an_error_has_the_size_it_is_called(
    name: str, least: float, most: float, case: VariedCase
) -> None:
    """On average over the landmarks."""
    assert least < case.error_mm(make_error(name, case, 1)).mean() < most


def test_a_local_error_leaves_most_of_the_lungs_right(case: VariedCase) -> None:
    """Half of the landmarks are right, a few are far off."""
    error = case.error_mm(make_error("local8", case, 1))
    assert np.median(error) < 0.3
    assert error.max() > 5


@pytest.mark.parametrize("name", ERRORS)
def test_tissue_folds_only_where_the_name_says(name: str, case: VariedCase) -> None:
    """Less than 1 % of the lungs otherwise."""
    transform, grid = make_error(name, case, 1), case.pair.fixed.grid
    dense = dense_displacement(transform, grid)
    jacobian = jacobian_determinant(transform.affine, dense, grid)[case.fixed_mask > 0]
    share = float((jacobian <= 0).mean())
    assert share > 0.0005 if name == "folds" else share < 0.01


def test_nothing_found_is_nothing_moved(case: VariedCase) -> None:
    """The affine fits better than a shift, and neither shows the breath."""
    shift, affine = (case.error_mm(make_error(n, case, 1)).mean() for n in ("nothing", "affine"))
    assert 1.5 < affine < shift


def test_the_same_seed_makes_the_same_error(case: VariedCase) -> None:
    """Another seed makes another one."""
    first, again, other = (make_error("inner8", case, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.displacement_mm, again.displacement_mm)
    assert not np.allclose(first.displacement_mm, other.displacement_mm)
