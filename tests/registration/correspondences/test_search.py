"""Partners: shifts are found to a fraction of a voxel, and doubt shows."""

from __future__ import annotations

import pytest
import torch

from lungreg.registration.correspondences import search as module
from lungreg.registration.correspondences.search import find_partners, searchable
from tests.registration.correspondences.textures import moved, texture

pytestmark = pytest.mark.usefixtures("one_thread")

PLACES = torch.cartesian_prod(*(torch.arange(12, 25, 6),) * 3)
SHOWN = torch.ones(40, 36, 38, dtype=torch.bool)


def test_a_shift_is_found() -> None:
    """Whole and half voxels, with brightness and contrast changed."""
    source = texture()
    steps = (3.0, -2.0, 1.5)
    target = 0.6 * moved(source, steps) - 200
    found = find_partners(
        searchable(source, SHOWN, patch=3), searchable(target, SHOWN, patch=3), PLACES, 5
    )
    assert (found.steps - torch.tensor(steps)).abs().max() < 0.2
    assert found.correlation.min() > 0.9
    assert found.margin.min() > 0.3


@pytest.mark.parametrize("at_once", [7, 10_000])
def test_offsets_at_once_are_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some or all, as on a GPU, or one after the other."""
    volumes = [searchable(it, SHOWN, patch=3) for it in (texture(), moved(texture(), (3, -2, 1)))]
    one = find_partners(*volumes, PLACES, 4)
    monkeypatch.setattr(module, "at_once", lambda *_: at_once)
    many = find_partners(*volumes, PLACES, 4)
    for name in ("steps", "correlation", "margin"):
        torch.testing.assert_close(getattr(many, name), getattr(one, name))


def test_a_shift_beyond_the_reach_is_not_certain() -> None:
    """What cannot be found does not look like a find."""
    source = texture()
    volumes = [searchable(it, SHOWN, patch=3) for it in (source, moved(source, (9.0, 0.0, 0.0)))]
    found = find_partners(volumes[0], volumes[1], PLACES, 4)
    assert found.correlation.median() < 0.6


def test_another_texture_has_no_partners() -> None:
    """Unrelated volumes: correlations and margins are those of chance."""
    volumes = [searchable(texture(seed=seed), SHOWN, patch=3) for seed in (1, 2)]
    found = find_partners(volumes[0], volumes[1], PLACES, 5)
    assert found.correlation.median() < 0.5


def test_a_repeated_pattern_has_no_margin() -> None:
    """Two places that are the same are both candidates: the margin says so."""
    period = 4
    small = texture((period, 36, 38))
    source = small.repeat(10, 1, 1)
    volume = searchable(source, SHOWN, patch=3)
    found = find_partners(volume, volume, PLACES, 6)
    assert found.margin.abs().max() < 1e-4


def test_partners_lie_where_the_scan_has_data() -> None:
    """A patch that reaches beyond the data is no candidate."""
    source = texture()
    shown = SHOWN.clone()
    shown[:, :, 20:] = False
    found = find_partners(
        searchable(source, SHOWN, patch=3), searchable(source, shown, patch=3), PLACES, 5
    )
    known = found.correlation > -1
    ends = (PLACES + found.steps.round().long())[known]
    assert (ends[:, 2] + 3 < 20).all()


def test_one_minimum_is_compared_with_fixed_offsets() -> None:
    """Costs that rise from one offset: the rest of the candidates does not depend on the device."""
    offsets = module._ball(3, torch.device("cpu"))
    deep = torch.tensor([1, -1, 0])
    costs = (offsets - deep).square().sum(dim=1)[None].float()
    found = module._candidates(costs, offsets, 3)[0]
    assert found[0].tolist() == deep.tolist()
    assert found[1:].tolist() == [[0, 2, 0], [0, 0, 2], [-2, 0, 0], [0, -2, 0], [0, 0, -2]]
