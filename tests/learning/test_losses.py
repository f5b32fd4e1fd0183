"""The terms of the loss, against MONAI and closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from monai.losses import BendingEnergyLoss, DiceLoss, GlobalMutualInformationLoss

from lungreg.config import Loss
from lungreg.learning.loss_input import LossInput
from lungreg.learning.losses import (
    BENDING_REFERENCE_MM,
    active_terms,
    bending_energy,
    case_terms,
    dice,
    landmarks,
    mutual_information,
    second_derivative_energy,
    weigh,
)
from lungreg.spatial.displacement import index_grid
from lungreg.spatial.geometry import Grid

UNIT = Grid(shape=(10, 12, 14), affine=np.eye(4))


def loss_input(**changes: object) -> LossInput:
    """A random case on a small unit grid."""
    torch.manual_seed(0)
    values: dict[str, object] = {
        "fixed": torch.rand(1, 1, *UNIT.shape, dtype=torch.float64),
        "moving": torch.rand(1, 1, *UNIT.shape, dtype=torch.float64),
        "displacement_vox": torch.zeros(1, 3, *UNIT.shape, dtype=torch.float64),
        "grid": UNIT,
    }
    return LossInput(**{**values, **changes})  # type: ignore[arg-type]


class TestMutualInformation:
    @pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
    def test_equals_monai(self, dtype: torch.dtype, rtol: float) -> None:
        """Without a displacement the term is MONAI's loss of the two scans."""
        case = loss_input()
        fixed, moving = case.fixed.to(dtype), case.moving.to(dtype)
        still = torch.zeros(1, 3, *UNIT.shape, dtype=dtype)
        ours = mutual_information(
            loss_input(fixed=fixed, moving=moving, displacement_vox=still), Loss()
        )
        monai = GlobalMutualInformationLoss()(moving, fixed)
        assert float(ours) == pytest.approx(float(monai), rel=rtol)  # type: ignore[arg-type]

    def test_same_scan_is_better_than_noise(self) -> None:
        """A scan shares more information with itself than with noise."""
        case = loss_input()
        same = mutual_information(loss_input(moving=case.fixed), Loss())
        assert float(same) < float(mutual_information(case, Loss())) - 0.5  # type: ignore[arg-type]


class TestBendingEnergy:
    def test_voxels_equal_monai(self) -> None:
        """With `unit: voxel` the energy is MONAI's."""
        field = torch.randn(2, 3, 9, 10, 11, dtype=torch.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MONAI indexes with lists
            monai = BendingEnergyLoss()(field)
        ours = second_derivative_energy(field, (1.0, 1.0, 1.0))
        assert float(ours) == pytest.approx(float(monai), rel=1e-12)

    def test_quadratic_field_has_its_closed_form(self) -> None:
        """u_x = a x^2 + b x y has (2a)^2 + 2 b^2, averaged over three components."""
        grid = Grid(shape=(8, 9, 10), affine=np.diag([1.5, 2.0, 3.0, 1.0]))
        x, y, _ = index_grid(grid.shape, device=torch.device("cpu")).double()
        a, b = 0.03, 0.02
        field = torch.zeros(1, 3, *grid.shape, dtype=torch.float64)
        field[0, 0] = a * (1.5 * x) ** 2 + b * (1.5 * x) * (2.0 * y)
        expected = ((2 * a) ** 2 + 2 * b**2) / 3
        found = second_derivative_energy(field, (1.5, 2.0, 3.0))
        assert float(found) == pytest.approx(expected, rel=1e-9)

    def test_does_not_depend_on_the_grid(self) -> None:
        """One analytic field on two grids of a box gives the same energy within 2 %."""
        box = Grid(shape=(40, 40, 40), affine=np.diag([6.0, 5.0, 7.0, 1.0]))
        energies = [
            self.energy_of_waves(box.resized(shape)) for shape in ((40, 40, 40), (64, 48, 72))
        ]
        assert energies[1] == pytest.approx(energies[0], rel=0.02)

    def energy_of_waves(self, grid: Grid) -> float:
        """The weighed energy in mm of a smooth field, in the network's voxels."""
        index = index_grid(grid.shape, device=torch.device("cpu")).double()
        points = grid.to_world(index.reshape(3, -1).T.numpy())
        waves = np.sin(2 * np.pi * points / np.array([240.0, 200.0, 280.0]))
        field_mm = torch.as_tensor(
            (6 * waves * np.roll(waves, 1, axis=1)).T.reshape(3, *grid.shape)
        )
        field_vox = field_mm / torch.as_tensor(grid.spacing_mm.copy()).view(3, 1, 1, 1)
        case = loss_input(displacement_vox=field_vox[None], grid=grid)
        return float(bending_energy(case, Loss()))  # type: ignore[arg-type]

    def test_weight_serves_both_units(self) -> None:
        """On a grid of the reference spacing, energy in mm equals energy in voxels."""
        grid = Grid(shape=UNIT.shape, affine=np.diag([BENDING_REFERENCE_MM] * 3 + [1.0]))
        case = loss_input(displacement_vox=torch.randn(1, 3, *UNIT.shape).double(), grid=grid)
        in_mm = bending_energy(case, Loss(bending_unit="mm"))
        in_voxels = bending_energy(case, Loss(bending_unit="voxel"))
        assert float(in_mm) == pytest.approx(float(in_voxels), rel=1e-6)  # type: ignore[arg-type]


class TestDice:
    def test_equals_monai(self) -> None:
        """Without a displacement the term is MONAI's soft Dice loss."""
        torch.manual_seed(1)
        masks = [(torch.rand(1, 1, *UNIT.shape) > 0.5).double() for _ in range(2)]
        ours = dice(loss_input(fixed_mask=masks[0], moving_mask=masks[1]), Loss())
        monai = DiceLoss(smooth_nr=0, smooth_dr=0)(masks[1], masks[0])
        assert float(ours) == pytest.approx(float(monai), rel=1e-6)  # type: ignore[arg-type]

    def test_needs_both_masks(self) -> None:
        """A case without a mask has no Dice term."""
        assert dice(loss_input(fixed_mask=torch.ones(1, 1, *UNIT.shape)), Loss()) is None


class TestLandmarks:
    def test_distance_is_in_mm_on_an_oblique_grid(self) -> None:
        """A displacement of (1, 2, 3) voxels too few errs by its length in mm."""
        affine = np.eye(4)
        affine[:3, :3] = np.array([[0, -1.5, 0], [1.2, 0, 0], [0, 0.0, 2.5]])
        grid = Grid(shape=UNIT.shape, affine=affine)
        points = torch.tensor([[4.0, 5.0, 6.0], [3.0, 3.0, 3.0]], dtype=torch.float64)
        gap = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        case = loss_input(grid=grid, fixed_points_vox=points, moving_points_vox=points + gap)
        expected = float(np.linalg.norm(affine[:3, :3] @ gap.numpy()))
        assert float(landmarks(case, Loss())) == pytest.approx(expected)  # type: ignore[arg-type]


class TestWeighing:
    def test_weight_zero_is_left_out(self) -> None:
        """Only terms with a weight are computed."""
        assert set(active_terms(Loss(mutual_information=0.0, dice=2.0))) == {
            "bending_energy",
            "dice",
        }

    def test_lacking_term_is_averaged_over_those_that_have_it(self) -> None:
        """Two cases, one without masks: its Dice counts once, the others twice."""
        settings = Loss(mutual_information=1.0, bending_energy=0.0, dice=3.0)
        cases = [
            {"mutual_information": torch.tensor(-1.0), "dice": torch.tensor(0.5)},
            {"mutual_information": torch.tensor(-2.0)},
        ]
        total = weigh(cases, {"mutual_information": 2, "dice": 1}, settings)
        assert float(total) == pytest.approx(-1.5 + 3 * 0.5)  # type: ignore[arg-type]

    def test_shares_of_workers_sum_to_the_loss(self) -> None:
        """Two workers with the counts of the global batch sum to one worker's loss."""
        settings = Loss(mutual_information=1.0, bending_energy=2.0)
        values = [
            {"mutual_information": torch.tensor(-1.0), "bending_energy": torch.tensor(k)}
            for k in (1.0, 4.0)
        ]
        counts = {"mutual_information": 2, "bending_energy": 2}
        parts = [weigh([value], counts, settings) for value in values]
        whole = weigh(values, counts, settings)
        assert float(sum(parts)) == pytest.approx(float(whole))  # type: ignore[arg-type]

    def test_case_gives_its_terms(self) -> None:
        """A case without landmarks gives every active term but that one."""
        settings = Loss(landmarks=1.0, bending_energy=1.0)
        assert set(case_terms(loss_input(), settings)) == {"mutual_information", "bending_energy"}
