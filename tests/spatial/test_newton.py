"""Newton's method for the inverse: compiled, it does what PyTorch's operations do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lungreg.spatial.displacement import CPU
from lungreg.spatial.inversion.index_field import IndexField
from lungreg.spatial.inversion.newton import compiled_newton, reference_newton
from tests.formats.transforms.breathing import breath

pytest.importorskip("numba")

TOLERANCE_MM = 2e-3


@pytest.mark.parametrize("down_mm", [10.0, 60.0])
def test_compiled_and_reference_agree(down_mm: float) -> None:
    """The same solutions and residuals, inside the field and beyond it, far or near the start."""
    field = IndexField.of(breath(down_mm=down_mm), CPU, torch.float32)
    size = torch.tensor(field.shape)
    targets = (torch.rand(3000, 3, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.2) * size
    tolerance = torch.full((len(targets),), TOLERANCE_MM)
    start = targets.clone()
    expected, left_mm = reference_newton(field, targets, start, tolerance)
    found, gap_mm = compiled_newton(field, targets, start, tolerance)
    assert torch.equal(start, targets)
    solved = left_mm <= TOLERANCE_MM
    assert solved.float().mean() > 0.9
    assert (gap_mm[solved] <= TOLERANCE_MM).float().mean() > 0.995
    apart_mm = field.length_mm(found - expected)[solved & (gap_mm <= TOLERANCE_MM)]
    assert torch.quantile(apart_mm, 0.99) < 5 * TOLERANCE_MM


def test_where_it_folds_the_residual_says_so() -> None:
    """No solution is claimed: the residual is that of the index that is returned."""
    transform = breath(size_mm=0.0)
    transform.displacement_mm[2, :, :, 5:] -= 60.0
    field = IndexField.of(transform, CPU, torch.float32)
    targets = torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor(
        field.shape
    )
    found, gap_mm = compiled_newton(field, targets, targets, torch.full((2000,), TOLERANCE_MM))
    left_mm = field.length_mm(found + field.at(found)[0] - targets)
    np.testing.assert_allclose(gap_mm.numpy(), left_mm.numpy(), atol=2e-3)
    assert (gap_mm > 1.0).any()
