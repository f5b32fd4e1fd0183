"""Distinctive places: corners before edges, all within the mask, spread over it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lungreg.registration.correspondences.keypoints import distinctiveness, keypoints
from tests.registration.correspondences.textures import texture

pytestmark = pytest.mark.usefixtures("one_thread")


def block() -> torch.Tensor:
    """A bright block in the dark: faces, edges and corners."""
    volume = torch.full((24, 24, 24), -900.0)
    volume[8:16, 8:16, 8:16] = 0.0
    return volume


def test_a_corner_is_more_distinctive_than_an_edge_and_a_face() -> None:
    """The structure tensor of a corner alone has three large eigenvalues."""
    found = distinctiveness(block())
    corner, edge, face = found[8, 8, 8], found[8, 8, 12], found[8, 12, 12]
    assert corner > 10 * edge
    assert edge >= face
    assert found[2, 2, 2] == 0


def test_equals_the_inverse_structure_tensor() -> None:
    """1 / trace(S^-1), computed by NumPy from the same smoothed products."""
    volume = texture((12, 11, 13))
    from lungreg.registration.refinement.features import mean_of_three

    smooth = mean_of_three(volume[None, None])[0, 0].numpy().astype(np.float64)
    slopes = np.stack(np.gradient(smooth))
    products = np.einsum("ixyz,jxyz->ijxyz", slopes, slopes)
    tensor = mean_of_three(torch.as_tensor(products).reshape(1, 9, 12, 11, 13)).numpy()
    tensor = np.moveaxis(tensor.reshape(3, 3, 12, 11, 13), (0, 1), (-2, -1))
    expected = 1 / np.trace(np.linalg.inv(tensor), axis1=-2, axis2=-1)
    np.testing.assert_allclose(distinctiveness(volume).numpy(), expected, rtol=2e-3, atol=1e-2)


def test_places_lie_inside_and_apart() -> None:
    """None outside the mask, none beside another, no more than asked."""
    inside = torch.zeros(40, 36, 38, dtype=torch.bool)
    inside[5:35, 5:30, 5:33] = True
    places = keypoints(texture(), inside, most=200, cell=8)
    assert len(places) == 200
    assert inside[tuple(places.T)].all()
    gaps = (places[:, None] - places).abs().amax(dim=2) + 100 * torch.eye(200, dtype=torch.int64)
    assert gaps.min() > 1


def test_every_cell_has_its_best_place_first() -> None:
    """A half with a tenth of the contrast still gets as many cells as the other."""
    volume = texture()
    volume[:20] = -700 + (volume[:20] + 700) / 10
    places = keypoints(volume, torch.ones_like(volume, dtype=torch.bool), most=125, cell=8)
    cells = {tuple(cell) for cell in (places // 8).tolist()}
    assert len(cells) >= 120
    assert int((places[:, 0] < 16).sum()) >= 45


def test_nothing_where_nothing_is() -> None:
    """A flat volume and an empty mask have no places."""
    flat = torch.full((12, 12, 12), -700.0)
    assert len(keypoints(flat, torch.ones_like(flat, dtype=torch.bool), most=10, cell=4)) == 0
    nowhere = torch.zeros(40, 36, 38, dtype=torch.bool)
    assert len(keypoints(texture(), nowhere, most=10, cell=8)) == 0
