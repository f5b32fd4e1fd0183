"""The supervised loss: zero for the truth, and the distance in mm for everything else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lungreg.config import Augmentation, Loss, Preprocessing
from lungreg.learning.displacement_loss import displacement
from lungreg.learning.loss_input import LossInput
from lungreg.learning.losses import TERMS, active_terms, landmarks
from lungreg.learning.preprocessing import PreparedPair, augment, prepare_pair
from lungreg.spatial.geometry import apply_affine
from tests.grids import voxels
from tests.learning.blob_pair import AFFINE, FIXED, blob_pair

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = Preprocessing(spatial_size=(16, 14, 12))
MOVES = Augmentation(rotation_deg=20, translation_vox=2, scale=0.15)
TRUE = AFFINE
"""The pair's landmarks are partners under this map, so that it is their true `T`."""
GUESS = np.array(
    [[1.0, 0.1, 0.0, 20.0], [-0.1, 1.0, 0.0, 5.0], [0.0, 0.0, 1.2, -60.0], [0.0, 0.0, 0.0, 1.0]]
)
"""An alignment `A` that is not the truth: turned, stretched and shifted."""


def prepared(affine: NDArray[np.float64] = GUESS) -> PreparedPair:
    """The pair with its true displacement."""
    points = FIXED.to_world(voxels(FIXED))
    total = (apply_affine(TRUE, points) - points).T.reshape(3, *FIXED.shape).astype(np.float32)
    return prepare_pair(blob_pair(), affine, SETTINGS, true_displacement_mm=total)


def perfect(pair: PreparedPair) -> NDArray[np.float64]:
    """(3, X, Y, Z) what a network must say, by points: `d = inv(A grid motion) T grid motion - 1`.

    Of the definition `T(x) = A(x + u(x))`, for a pair that augmentation moved.
    """
    motion = np.eye(4) if pair.motion is None else pair.motion
    here = voxels(pair.grid)
    to_world = pair.grid.affine @ motion
    there = apply_affine(np.linalg.inv(pair.affine @ to_world) @ TRUE @ to_world, here)
    return np.asarray((there - here).T.reshape(3, *pair.grid.shape))


def given(pair: PreparedPair, field_vox: NDArray[np.float64]) -> LossInput:
    """The pair after a network that gives a field."""
    assert pair.true_displacement_mm is not None
    return LossInput(
        fixed=pair.fixed[None],
        moving=pair.moving[None],
        displacement_vox=torch.as_tensor(field_vox)[None].float(),
        grid=pair.grid,
        affine=pair.affine,
        moving_grid=pair.moving_grid,
        motion=pair.motion,
        fixed_mask=None if pair.fixed_mask is None else pair.fixed_mask[None].float(),
        fixed_points_vox=pair.fixed_points_vox,
        moving_points_vox=pair.moving_points_vox,
        true_displacement_mm=pair.true_displacement_mm[None],
    )


def value(case: LossInput) -> float:
    """The loss as a number."""
    found = displacement(case, Loss())
    assert found is not None
    return float(found)


@pytest.fixture(scope="module")
def pair() -> PreparedPair:
    """On oblique grids, aligned badly."""
    return prepared()


class TestDisplacement:
    @pytest.mark.parametrize("affine", [np.eye(4), GUESS, TRUE], ids=["world", "guess", "true"])
    def test_truth_has_no_loss(self, affine: NDArray[np.float64]) -> None:
        """Whatever `A` is, the field that makes `A(x + u(x))` the truth is at distance 0."""
        pair = prepared(affine)
        assert value(given(pair, perfect(pair))) < 1e-3

    @pytest.mark.parametrize("case_id", ["a", "b", "c"])
    def test_truth_has_no_loss_after_augmentation(self, pair: PreparedPair, case_id: str) -> None:
        """The target moves with the scans: by points, and as the landmarks say, it is still met."""
        moved = augment(pair, MOVES, seed=0, epoch=1, case_id=case_id)
        case = given(moved, perfect(moved))
        assert value(case) < 1e-3
        by_landmarks = landmarks(case, Loss())
        assert by_landmarks is not None
        assert float(by_landmarks) < 1e-3
        # What would have been right without augmentation is wrong by millimetres now.
        assert value(given(moved, perfect(pair))) > 1.0

    @pytest.mark.parametrize("augmented", [False, True])
    def test_is_the_distance_in_mm_of_the_moving_scan(
        self, pair: PreparedPair, augmented: bool
    ) -> None:
        """An error of the same voxels everywhere, carried by augmentation, grid and `A`."""
        case = augment(pair, MOVES, seed=0, epoch=1, case_id="a") if augmented else pair
        motion = np.eye(4) if case.motion is None else case.motion
        error_vox = np.array([1.0, -2.0, 0.5])
        error_mm = (GUESS @ case.grid.affine @ motion)[:3, :3] @ error_vox
        found = value(given(case, perfect(case) + error_vox[:, None, None, None]))
        assert found == pytest.approx(float(np.linalg.norm(error_mm)), rel=1e-4)

    def test_counts_inside_the_fixed_lungs(self, pair: PreparedPair) -> None:
        """An error outside of them costs nothing; without a mask it does."""
        assert pair.fixed_mask is not None
        inside = pair.fixed_mask[0].numpy() > 0
        assert inside.any()
        wrong = perfect(pair) + np.where(inside, 0.0, 3.0)
        assert value(given(pair, wrong)) < 1e-3
        bare = dataclasses.replace(pair, fixed_mask=None)
        assert value(given(bare, wrong)) > 1.0
        assert value(given(bare, perfect(pair))) < 1e-3

    def test_without_a_mask_what_augmentation_filled_does_not_count(
        self, pair: PreparedPair
    ) -> None:
        """Beyond the fixed scan the truth is not known."""
        bare = dataclasses.replace(pair, fixed_mask=None)
        moved = augment(bare, MOVES, seed=0, epoch=1, case_id="a")
        case = given(moved, perfect(moved))
        assert not case.fixed_shown.all()
        # The outer half of an outer voxel is shown, where the field is no longer linear.
        assert value(case) < 0.05

    def test_gradient_is_finite_and_leads_to_the_truth(self, pair: PreparedPair) -> None:
        """A step against it lowers the loss; at the truth itself it is a number."""
        target = perfect(pair)
        for start in (target, np.zeros_like(target)):
            case = given(pair, start)
            field = case.displacement_vox.clone().requires_grad_()
            loss = displacement(dataclasses.replace(case, displacement_vox=field), Loss())
            assert loss is not None
            (gradient,) = torch.autograd.grad(loss, field)
            assert torch.isfinite(gradient).all()
        step = 0.1 * gradient / gradient.abs().max()
        assert value(given(pair, (field - step).detach()[0].double().numpy())) < float(
            loss.detach()
        )

    def test_case_without_a_displacement_has_no_such_term(self, pair: PreparedPair) -> None:
        """It takes part in the others."""
        bare = dataclasses.replace(given(pair, perfect(pair)), true_displacement_mm=None)
        assert displacement(bare, Loss()) is None

    def test_is_a_term_that_is_off_by_default(self) -> None:
        """Under its name once it has a weight."""
        assert TERMS["displacement"] is displacement
        assert "displacement" not in active_terms(Loss())
        assert active_terms(Loss(displacement=0.5))["displacement"] == 0.5
