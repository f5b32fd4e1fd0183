"""Parts of the places, for single steps."""

from __future__ import annotations

import pytest
import torch

from lungreg.registration.refinement.field import enlarge
from lungreg.registration.refinement.lung_wall import PlaceWeights
from lungreg.registration.refinement.parts import Fixed, split

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (9, 8, 11)


def some_places() -> Fixed:
    """Half the voxels; each voxel's feature is its number."""
    chosen = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.5
    number = torch.arange(chosen.numel()).view(1, 1, *SHAPE).float()
    half = chosen[None, None] * 0.5
    tissue = half * (number % 3 > 0)
    return Fixed(
        features=(number,),
        lungs=-number,
        weights=PlaceWeights(lungs=half, tissue=tissue, outline=half),
    )


@pytest.mark.parametrize("most", [1000, 100, 30])
def test_every_place_is_in_one_part(most: int) -> None:
    """And no part is much larger than asked for."""
    fixed = some_places()
    parts = split(fixed, most)
    found = torch.cat([part.places.features[:, 0] for part in parts]).sort().values
    assert found.equal(fixed.weights.outline.flatten().nonzero()[:, 0].float())
    assert max(part.flat.numel() for part in parts) < 1.5 * most


@pytest.mark.parametrize("control", [1, 2, 4])
def test_a_lattice_is_a_part_of_the_whole(control: int) -> None:
    """A field on a part's lattice, at its places, is the field of the whole level there."""
    size = [-(-(n - 1) // control) + 1 for n in SHAPE]
    nodes = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
    whole = enlarge(nodes, control, SHAPE)
    for part in split(some_places(), 100):
        found = enlarge(nodes, control, SHAPE, part.lattice).reshape(3, -1)[:, part.flat]
        x, y, z = part.places.voxels.long().T
        torch.testing.assert_close(found, whole[:, x, y, z])


def test_places_know_what_the_volumes_hold_there() -> None:
    """Features, shares of lung and weights."""
    fixed = some_places()
    for part in split(fixed, 30):
        x, y, z = part.places.voxels.long().T
        assert part.places.features[:, 0].equal(fixed.features[0][0, 0, x, y, z])
        assert part.places.lungs.equal(fixed.lungs[0, 0, x, y, z])
        assert part.places.weight.equal(fixed.weights.tissue[0, 0, x, y, z])
        assert part.places.outline_weight.equal(fixed.weights.outline[0, 0, x, y, z])
        assert part.places.index.equal(part.places.voxels.T.float())
