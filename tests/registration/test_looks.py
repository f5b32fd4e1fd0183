"""How often the volumes of a case are looked at: most of what it costs beside its estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lungreg.registration import lungs, mask_cover, pair
from lungreg.registration.images import carry_moving, pair_images
from lungreg.spatial import carrying, fused
from lungreg.spatial.coarsening import block_sizes
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import affine_transform
from lungreg.testing import MemoryStage
from tests.registration.refinement.breathing_pairs import as_pair, simulated
from tests.registration.registering import SEED, register, true_network
from tests.small_cases import put_case

pytestmark = pytest.mark.usefixtures("one_thread")

Count = Callable[[Any, str], list[tuple[Any, ...]]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Note the arguments of each call of a module's function."""

    def note(module: Any, name: str) -> list[tuple[Any, ...]]:
        plain, noted = getattr(module, name), list[tuple[Any, ...]]()

        def noting(*args: Any, **options: Any) -> Any:
            noted.append(args)
            return plain(*args, **options)

        monkeypatch.setattr(module, name, noting)
        return noted

    return note


def test_units_are_decided_once_for_each_scan(calls: Count) -> None:
    """Not again for the network's input, which needs no masks."""
    decided = calls(pair, "units_of")
    stage = MemoryStage()
    register(stage, put_case(stage, "a", seed=SEED), true_network())
    assert len(decided) == 2


def test_masks_need_no_fine_search_for_lungs(calls: Count) -> None:
    """Lungs are known; that masks hold them is seen on coarse blocks of each scan."""
    searched, looked = calls(lungs, "search_lungs"), calls(mask_cover, "search_lungs")
    masked = as_pair(simulated())
    assert (mask_cover.mask_cover(masked) or 0) > 0.9
    assert not searched
    assert len(looked) == 2
    for (_, blocks), scan in zip(looked, (masked.fixed, masked.moving), strict=True):
        sizes = np.array(scan.grid.shape) / blocks.shape
        assert (sizes >= block_sizes(scan.grid, 4.0)).all()


@pytest.mark.skipif(not fused.is_fused(CPU), reason="numba is not installed")
def test_scan_and_mask_are_carried_in_one_pass(calls: Count) -> None:
    """Both through `T` and both through a turned `A`."""
    passes = calls(carrying, "both_on")
    turned = np.eye(4)
    turned[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    masked = as_pair(simulated())
    masked = replace(masked, moving_mask=np.asarray(masked.moving_mask, dtype=np.uint8))
    transform = affine_transform(turned, masked.fixed.grid)
    carried = carry_moving(masked, transform, CPU)
    images = pair_images(masked, transform, carried, hu_window=(-1000.0, 500.0), device=CPU)
    assert len(passes) == 2
    np.testing.assert_array_equal(images.aligned_mask, images.warped_mask)
    np.testing.assert_allclose(images.aligned, images.warped, atol=1e-5)
