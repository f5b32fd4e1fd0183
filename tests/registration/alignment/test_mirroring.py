"""Whether the right one of four mirrors is named, whatever the outlines of the lungs say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lungreg.registration.alignment.mirroring import (
    MIRRORS,
    TRANSPOSED,
    coarse_score,
    mirrored_agreement,
)
from lungreg.spatial.geometry import Grid
from tests.registration.alignment.patients import (
    HU_WINDOW,
    cut,
    mirrored,
    patient,
    turned_over,
)


@pytest.mark.parametrize("masks", [True, False])
def test_not_mirrored(masks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good pair agrees best as it is, so well that no mirror need be tried."""
    whole = patient() if masks else patient().without_masks
    alone = mirrored_agreement(whole.pair, HU_WINDOW)
    assert set(alone) == {"none"}
    monkeypatch.setattr("lungreg.registration.alignment.mirroring._SURELY_NOT", 1.0)
    scores = mirrored_agreement(whole.pair, HU_WINDOW)
    assert scores["none"] == alone["none"]
    assert set(scores) == {"none", *MIRRORS, TRANSPOSED}
    assert scores.pop("none") > max(scores.values()) + 0.05


@pytest.mark.parametrize(("axis", "name"), list(enumerate(MIRRORS)))
def test_mirrored(axis: int, name: str) -> None:
    """A mirrored moving scan is named by the axis that is reversed."""
    scores = mirrored_agreement(mirrored(patient(), axis).pair, HU_WINDOW)
    assert scores.pop(name) > max(scores.values()) + 0.05


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_an_array_with_its_axes_in_another_order(order: tuple[int, int, int]) -> None:
    """As one saved under the wrong header after SimpleITK, whose arrays are z, y, x."""
    whole = patient()
    scan, mask = whole.pair.moving, whole.pair.moving_mask
    data = np.ascontiguousarray(scan.data.transpose(order))
    nx, ny, nz = data.shape
    moving = replace(scan, data=data, grid=Grid(shape=(nx, ny, nz), affine=scan.grid.affine))
    swapped = replace(
        whole.pair, moving=moving, moving_mask=np.ascontiguousarray(mask.transpose(order))
    )
    scores = mirrored_agreement(swapped, HU_WINDOW)
    assert scores[TRANSPOSED] > 0.8
    assert scores.pop(TRANSPOSED) > max(scores.values()) + 0.05


@pytest.mark.parametrize("degrees", [(180, 0, 0), (0, 180, 0), (0, 0, 180)])
def test_a_turned_header_is_no_mirror(degrees: tuple[int, int, int]) -> None:
    """A half turn and a mirror lay the outlines of the lungs nearly over each other."""
    scores = mirrored_agreement(turned_over(patient(), degrees).pair, HU_WINDOW)
    assert scores.pop("none") > max(scores.values(), default=0.0) + 0.05


def test_mirrored_and_cut() -> None:
    """So is one that lacks its bases."""
    part = mirrored(cut(patient(), "moving", "bases", 40.0), 0)
    scores = mirrored_agreement(part.pair, HU_WINDOW)
    assert scores.pop("left-right") > max(scores.values()) + 0.05


def test_coarse_score() -> None:
    """The short registration finds its way from a start that is off, and not from one far away."""
    start = np.eye(4)
    start[:3, 3] = 10.0, -10.0, 15.0
    near = coarse_score(patient().pair, start, HU_WINDOW)
    assert near == pytest.approx(coarse_score(patient().pair, np.eye(4), HU_WINDOW), abs=0.02)
    start[2, 3] = 5000.0
    assert coarse_score(patient().pair, start, HU_WINDOW) == -1.0
