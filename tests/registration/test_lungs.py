"""The lungs of a pair: from masks, by threshold, or none; looked for once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

import lungreg.registration.lungs
from lungreg.formats.volumes import Stored, Volume
from lungreg.records import Case
from lungreg.registration.lungs import ScanLungs, find_lungs
from lungreg.registration.pair import Pair, read_pair
from lungreg.sources.simulation import SimulatedPair, simulate_pair
from lungreg.testing import MemoryStage
from tests.small_cases import FIXED_GRID, put_case

Float32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A case with masks."""
    stage = MemoryStage()
    return read_pair(stage, put_case(stage, "a", seed=1))


@pytest.fixture(scope="module")
def breath() -> SimulatedPair:
    """A simulated pair with known lungs."""
    return simulate_pair(1, 0, shape=(40, 34, 40), spacing_mm=(7.5, 7.5, 7.2))


def bare(breath: SimulatedPair) -> Pair:
    """The pair without masks."""
    volumes = [
        Volume(data=data.astype(np.float32), grid=grid, stored=Stored(dtype="int16"))
        for data, grid in ((breath.fixed, breath.fixed_grid), (breath.moving, breath.moving_grid))
    ]
    case = Case(case_id="a", fixed="f", moving="m")
    return Pair(case=case, fixed=volumes[0], moving=volumes[1])


def test_a_mask_counts_first(pair: Pair) -> None:
    """Any positive label is lung."""
    assert pair.fixed_mask is not None
    assert pair.moving_mask is not None
    for lungs, mask in (
        (pair.fixed_lungs, pair.fixed_mask),
        (pair.moving_lungs, pair.moving_mask),
    ):
        assert lungs.known_from == "mask"
        np.testing.assert_array_equal(lungs.or_everything, mask > 0)


@pytest.mark.parametrize("empty", [False, True])
def test_else_they_are_segmented(breath: SimulatedPair, empty: bool) -> None:
    """Without a mask, or with an empty one, the threshold finds most of the lungs."""
    pair = bare(breath)
    if empty:
        pair = dataclasses.replace(pair, fixed_mask=np.zeros_like(breath.fixed_mask))
    found = {"fixed": pair.fixed_lungs, "moving": pair.moving_lungs}
    for role, truth in (("fixed", breath.fixed_mask > 0), ("moving", breath.moving_mask > 0)):
        lungs = found[role].inside
        assert found[role].known_from == "threshold"
        assert lungs is not None
        assert 2 * (lungs & truth).sum() / (lungs.sum() + truth.sum()) > 0.95


def test_an_offset_of_the_file_is_heeded(breath: SimulatedPair) -> None:
    """A scan stored as HU + 1000 has the same lungs."""
    plain = bare(breath)
    stored = dataclasses.replace(plain.fixed, data=plain.fixed.data + np.float32(1000))
    case = dataclasses.replace(plain.case, fixed_hu_offset=1000.0)
    shifted = dataclasses.replace(plain, fixed=stored, case=case)
    np.testing.assert_array_equal(
        shifted.fixed_lungs.or_everything, plain.fixed_lungs.or_everything
    )


def test_a_scan_of_something_else_has_none(pair: Pair) -> None:
    """Where nothing looks like lungs there are none, and the whole scan stands in."""
    scan = np.full(FIXED_GRID.shape, 40.0, dtype=np.float32)
    scan[0, 0, 0] = 41.0
    solid = Volume(data=scan, grid=FIXED_GRID, stored=pair.fixed.stored)
    lungs = dataclasses.replace(pair, fixed=solid, fixed_mask=None).fixed_lungs
    assert lungs.known_from == "whole scan"
    assert lungs.inside is None
    assert lungs.or_everything.all()


def with_fixed(pair: Pair, change: Callable[[Float32], Float32], mask: bool | None) -> ScanLungs:
    """The fixed lungs of a pair whose fixed scan was changed, perhaps with a mask of lung."""
    data = change(pair.fixed.data).astype(np.float32)
    labels = (pair.fixed.data < -500).astype(np.uint8) if mask else None
    fixed = dataclasses.replace(pair.fixed, data=data)
    return dataclasses.replace(pair, fixed=fixed, fixed_mask=labels).fixed_lungs


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: hu, ()),
        (lambda hu: np.clip((hu + 1000) / 1400, 0, 1), ("the values do not look like Hounsfield",)),
        (lambda hu: np.clip(hu, -600, 400), ("the values are cut off at -600 HU: lung and air",)),
    ],
)
def test_odd_values_are_doubted(
    breath: SimulatedPair,
    change: Callable[[Float32], Float32],
    words: tuple[str, ...],
    mask: bool,
) -> None:
    """In words, whether the lungs are given or found, which they are all the same."""
    lungs = with_fixed(bare(breath), change, mask)
    assert lungs.inside is not None
    assert len(lungs.doubts) == len(words)
    for doubt, word in zip(lungs.doubts, words, strict=True):
        assert doubt.startswith(word)


def test_a_lung_alone_is_doubted(breath: SimulatedPair) -> None:
    """The other one is white: what is said of the lungs is said of one."""
    pair = bare(breath)
    white = breath.fixed_mask == 2
    lungs = with_fixed(pair, lambda hu: np.where(white, np.float32(35), hu), mask=None)
    assert lungs.known_from == "threshold"
    assert lungs.doubts == ("only one lung was found: nothing is known of the other",)


def test_they_are_looked_for_once(breath: SimulatedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair segments each scan once and keeps the arrays; another pair has its own."""
    pair, segment, calls = bare(breath), lungreg.registration.lungs.search_lungs, []
    monkeypatch.setattr(
        lungreg.registration.lungs,
        "search_lungs",
        lambda *given: calls.append(1) or segment(*given),
    )
    assert pair.fixed_lungs is pair.fixed_lungs
    assert pair.moving_lungs is pair.moving_lungs
    assert len(calls) == 2
    again = dataclasses.replace(pair)
    assert again.fixed_lungs is not pair.fixed_lungs
    assert len(calls) == 3


def test_a_mask_of_one_lung_is_doubtful(breath: SimulatedPair) -> None:
    """What is measured says nothing of the other lung; a mask of both raises no doubt."""
    pair = bare(breath)
    both = dataclasses.replace(pair, fixed_mask=breath.fixed_mask, moving_mask=breath.moving_mask)
    assert both.fixed_lungs.doubts == both.moving_lungs.doubts == ()
    for half in (slice(None, 20), slice(20, None)):
        one = np.zeros_like(breath.fixed_mask)
        one[half] = breath.fixed_mask[half]
        lungs = dataclasses.replace(pair, fixed_mask=one).fixed_lungs
        assert lungs.doubts == ("the mask holds one lung alone: nothing is known of the other",)


def test_a_mask_of_the_whole_scan_is_doubted(breath: SimulatedPair) -> None:
    """It says nothing of where the lungs are."""
    pair = bare(breath)
    whole = dataclasses.replace(pair, fixed_mask=np.ones_like(breath.fixed_mask)).fixed_lungs
    assert whole.doubts == ("the mask covers nearly all of the scan: it shows no lungs",)


def test_a_mask_that_lies_beside_the_lungs_is_doubted(breath: SimulatedPair) -> None:
    """The values are right then: the mask of another scan, or one that was moved."""
    volume, mask = (
        bare(breath).fixed,
        np.roll(breath.fixed_mask, breath.fixed_mask.shape[2] // 2, 2),
    )
    found = find_lungs(volume, mask, 0.0)
    assert found.doubts == ("most of the mask is denser than lung: is it the mask of this scan?",)
