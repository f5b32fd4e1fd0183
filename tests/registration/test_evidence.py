"""Evidence: exchanged, stretched and missing lungs show in its figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.formats.volumes import Volume
from lungreg.records import Evidence
from lungreg.registration.correspondences import LandmarkEstimate, estimate_landmarks
from lungreg.registration.evidence import gather_evidence
from lungreg.registration.images import carry_moving, pair_images
from lungreg.registration.pair import Pair
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Grid, Transform, affine_transform
from tests.registration.refinement.breathing_pairs import as_pair, simulated

pytestmark = pytest.mark.usefixtures("one_thread")


def evidence(pair: Pair, transform: Transform, places: LandmarkEstimate | None = None) -> Evidence:
    """Of a pair under a transform, by default without an estimate of landmarks."""
    carried = carry_moving(pair, transform, CPU)
    images = pair_images(pair, transform, carried, hu_window=(-1000.0, 500.0), device=CPU)
    return gather_evidence(pair, transform, images, places)


def true_transform() -> Transform:
    """Of the simulated pair."""
    made = simulated()
    return Transform(affine=np.eye(4), displacement_mm=made.displacement_mm, grid=made.fixed_grid)


def test_a_breath_in_holds_more_air() -> None:
    """Larger by volume and by the Jacobian alike, and thinner."""
    found = evidence(as_pair(simulated()), true_transform())
    assert found.volume_ratio_lungs is not None
    assert found.volume_ratio_jacobian == pytest.approx(found.volume_ratio_lungs, rel=0.05)
    assert found.volume_ratio_lungs > 1.1
    assert found.density_change_hu is not None
    assert found.density_change_hu < -10
    assert found.mass_ratio == pytest.approx(1, abs=0.2)
    assert found.without_lungs is None


def test_voxels_that_are_too_large_make_lungs_heavy() -> None:
    """A header whose sizes are wrong by a third in all directions: 2.2 times the mass."""
    pair, factor = as_pair(simulated()), 1.3
    same = replace(pair, moving=pair.fixed, moving_mask=pair.fixed_mask)
    larger = np.diag([factor, factor, factor, 1.0])
    grid = Grid(shape=pair.fixed.grid.shape, affine=larger @ pair.fixed.grid.affine)
    wrong = replace(same, moving=replace(same.moving, grid=grid))
    nodes = pair.fixed.grid.resized((2, 2, 2))
    found = evidence(wrong, affine_transform(larger, nodes))
    assert found.mass_ratio == pytest.approx(factor**3, rel=0.01)
    assert found.stretch == pytest.approx(1, abs=1e-3)
    assert found.bone_lengths == "left to right 1.30, front to back 1.30, head to foot 1.30"


def test_one_scan_with_itself_changes_nothing() -> None:
    """Ratios of 1, no change of density, no stretch, no residual."""
    pair = as_pair(simulated())
    same = replace(pair, moving=pair.fixed, moving_mask=pair.fixed_mask)
    found = evidence(same, affine_transform(np.eye(4), pair.fixed.grid.resized((2, 2, 2))))
    assert found.volume_ratio_lungs == 1
    assert found.volume_ratio_jacobian == pytest.approx(1, abs=1e-5)
    assert found.density_change_hu == pytest.approx(0, abs=0.01)
    assert found.mass_ratio == pytest.approx(1, abs=1e-4)
    assert found.stretch == pytest.approx(1, abs=1e-5)
    assert found.residual == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("factors", "stretch"), [((1, 1, 2), 2.0), ((1, 1, 0.5), 0.5)])
def test_stretch_is_that_of_the_odd_direction(
    factors: tuple[float, float, float], stretch: float
) -> None:
    """A slice distance that is wrong by two, in a turned scan."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.1 * factor for factor in factors])
    turn = np.eye(4)
    turn[:3, :3] = [[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]
    found = evidence(as_pair(simulated()), affine_transform(turn @ affine))
    assert found.stretch == pytest.approx(stretch, rel=1e-4)


@pytest.mark.parametrize("masks", [False, True])
def test_doubts_name_their_scan(masks: bool) -> None:
    """A moving scan that was scaled to 0..1; a pair in Hounsfield units raises none."""
    pair = as_pair(simulated(), masks=masks)
    still = affine_transform(np.eye(4), Grid(shape=(2, 2, 2), affine=pair.fixed.grid.affine))
    assert evidence(pair, still).doubts is None
    scaled = np.clip((pair.moving.data + 1000) / 1400, 0, 1).astype(np.float32)
    odd = replace(pair, moving=replace(pair.moving, data=scaled))
    assert evidence(odd, still).doubts == (
        "in the moving scan the values do not look like Hounsfield units"
    )


def test_a_voxel_size_that_nobody_set_is_named() -> None:
    """Both headers say 1 mm, and tissue goes together as well as it does in mm."""
    pair = as_pair(simulated())
    unset = replace(
        pair,
        fixed=replace(pair.fixed, grid=Grid(shape=pair.fixed.grid.shape, affine=np.eye(4))),
        moving=replace(pair.moving, grid=Grid(shape=pair.moving.grid.shape, affine=np.eye(4))),
    )
    found = evidence(unset, affine_transform(np.eye(4), unset.fixed.grid))
    assert found.unset_voxels == "fixed and moving"
    one = evidence(replace(unset, moving=pair.moving), affine_transform(np.eye(4), pair.fixed.grid))
    assert one.unset_voxels == "fixed"


@pytest.mark.parametrize("role", ["fixed", "moving"])
def test_a_scan_without_lungs_is_named(role: str) -> None:
    """Water has none."""
    pair = as_pair(simulated(), masks=False)
    scan: Volume = getattr(pair, role)
    water = replace(scan, data=np.zeros_like(scan.data))
    found = evidence(
        replace(pair, **{role: water}),  # type: ignore[arg-type]
        affine_transform(np.eye(4), Grid(shape=(2, 2, 2), affine=pair.fixed.grid.affine)),
    )
    assert found.without_lungs == role
    assert found.volume_ratio_lungs is None


def test_a_lung_without_partners_is_named() -> None:
    """One lung of another patient, or far from its place: in sums the other lung hides it."""
    pair, true = as_pair(simulated()), true_transform()
    places = estimate_landmarks(pair, true)
    assert places is not None
    assert evidence(pair, true, places).unmatched is None
    right = places.places_ras[:, 0] > np.median(places.places_ras[:, 0])
    errors_mm = np.where(right, np.nan, places.errors_mm)
    one_sided = replace(places, errors_mm=errors_mm)
    assert evidence(pair, true, one_sided).unmatched == "right lower, right upper"
