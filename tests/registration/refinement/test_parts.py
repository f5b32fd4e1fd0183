"""Parts of the places, for single steps."""

from __future__ import annotations

import pytest
import torch

from lungreg.registration.refinement.field import enlarge
from lungreg.registration.refinement.parts import Places, split

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (9, 8, 11)


def some_places() -> Places:
    """Half the voxels; each one's feature is its number."""
    chosen = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.5
    index = chosen.nonzero().T
    count = index.shape[1]
    return Places(
        index=index.float(),
        features=torch.arange(count)[:, None].float(),
        lungs=torch.rand(count),
        weight=torch.ones(count),
    )


@pytest.mark.parametrize("most", [1000, 100, 30])
def test_every_place_is_in_one_part(most: int) -> None:
    """And no part is much larger than asked for."""
    places = some_places()
    parts = split(places, SHAPE, most)
    found = torch.cat([part.places.features[:, 0] for part in parts]).sort().values
    torch.testing.assert_close(found, places.features[:, 0])
    assert max(part.flat.numel() for part in parts) < 1.5 * most


@pytest.mark.parametrize("control", [1, 2, 4])
def test_a_lattice_is_a_part_of_the_whole(control: int) -> None:
    """A field on a part's lattice, at its places, is the field of the whole level there."""
    places = some_places()
    size = [-(-(n - 1) // control) + 1 for n in SHAPE]
    nodes = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
    whole = enlarge(nodes, control, SHAPE)
    for part in split(places, SHAPE, 100):
        found = enlarge(nodes, control, SHAPE, part.lattice).reshape(3, -1)[:, part.flat]
        x, y, z = part.places.index.long()
        torch.testing.assert_close(found, whole[:, x, y, z])
