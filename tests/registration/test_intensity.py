"""How stored values are read: Hounsfield units, or a guess at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.formats.volumes import Volume
from lungreg.registration.images import carry_moving
from lungreg.registration.intensity import units_of
from lungreg.registration.lung_segmentation.values import Units
from lungreg.registration.pair import Pair
from lungreg.registration.refinement import plan_for, refine
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import affine_transform
from tests.registration.refinement.breathing_pairs import as_pair, mean_error_mm, simulated

pytestmark = pytest.mark.usefixtures("one_thread")

WINDOWS = {
    "0 to 1": (-1350.0, 150.0, 1.0),
    "8 bits": (-1350.0, 150.0, 255.0),
    "8 bits of a clipped scan": (-1024.0, 600.0, 255.0),
    "8 bits of all values": (-1024.0, 3071.0, 255.0),
    "0 to 1000": (-1000.0, 500.0, 1000.0),
    "16 bits": (-1500.0, 1500.0, 65535.0),
}


def windowed(volume: Volume, low: float, high: float, top: float) -> Volume:
    """A scan whose window became 0 to `top`."""
    values = top * np.clip((volume.data - low) / (high - low), 0, 1)
    return replace(volume, data=(np.rint(values) if top > 1 else values).astype(np.float32))


def in_window(pair: Pair, name: str) -> Pair:
    """Both scans so."""
    fixed, moving = (windowed(scan, *WINDOWS[name]) for scan in (pair.fixed, pair.moving))
    return replace(pair, fixed=fixed, moving=moving)


def middles(hu: NDArray[np.float32], lungs: NDArray[np.bool_]) -> tuple[float, float]:
    """Median of the lungs and of what is dense."""
    return float(np.median(hu[lungs])), float(np.median(hu[hu > -200]))


def test_units_there_and_back() -> None:
    """HU = (stored - zero) * gain, and values that are HU are not copied."""
    units, stored = (
        Units(zero=0.6, gain=1500.0, exact=False),
        np.array([0.0, 0.6, 1.0], dtype=np.float32),
    )
    np.testing.assert_allclose(units.hounsfield(stored), [-900, 0, 600], atol=1e-3)
    assert units.stored(-900.0) == pytest.approx(0.0)
    assert Units(zero=0.0).hounsfield(stored) is stored
    assert Units(zero=1024.0).exact


@pytest.mark.parametrize("name", list(WINDOWS))
def test_other_units_are_guessed_from_air_and_tissue(name: str) -> None:
    """Lungs and tissue come out within 60 HU of what they were, and no lung counts as padding."""
    pair = as_pair(simulated(), masks=False)
    lungs = np.asarray(simulated().fixed_mask > 0)
    read = in_window(pair, name)
    assert middles(read.fixed_hu, lungs) == pytest.approx(middles(pair.fixed_hu, lungs), abs=60)
    assert read.fixed_shown is None or read.fixed_shown[lungs].all()


@pytest.mark.parametrize("offset", [0.0, 1024.0])
def test_hounsfield_units_are_taken_as_they_are(offset: float) -> None:
    """With the offset that is known of the file."""
    pair = as_pair(simulated(), offset=offset)
    assert units_of(pair.fixed, offset) == Units(zero=offset)


def test_lungs_cut_out_of_their_scan_stay_hounsfield_units() -> None:
    """A box within a lung has no tissue to guess from: vessels are not taken for it."""
    pair = as_pair(simulated())
    box = (slice(12, 20), slice(15, 30), slice(20, 34))
    inner = replace(pair.fixed, data=pair.fixed.data[box], grid=pair.fixed.grid.cropped(box))
    assert units_of(inner, 0.0) == Units(zero=0.0)


@pytest.mark.parametrize("around", [300.0, 1000.0, -1024.0])
def test_scans_whose_mask_says_so_are_hounsfield_units(around: float) -> None:
    """All but the lungs is blanked: what is doubted of the lungs and what is read are one."""
    pair = as_pair(simulated())
    data = np.where(pair.fixed_mask > 0, np.minimum(pair.fixed.data, -400), around)
    blanked = replace(pair, fixed=replace(pair.fixed, data=data.astype(np.float32)))
    assert not blanked.fixed_lungs.doubts
    assert blanked.fixed_units.exact


@pytest.mark.parametrize("name", ["0 to 1", "8 bits of a clipped scan"])
def test_scans_in_other_units_are_registered_as_well(name: str) -> None:
    """From the headers, by the fast preset: the error is that of Hounsfield units."""
    pair = as_pair(simulated(), masks=False)
    errors = [
        mean_error_mm(it, refine(it, np.eye(4), plan_for("fast"), device=CPU).transform)
        for it in (pair, in_window(pair, name))
    ]
    assert errors[1] < 1.15 * errors[0]


def test_beyond_the_moving_scan_lies_air_in_its_own_units() -> None:
    """As the warped scan's file holds it."""
    pair = in_window(as_pair(simulated()), "0 to 1")
    away = np.eye(4)
    away[0, 3] = 1000.0
    grid = pair.fixed.grid.resized((2, 2, 2))
    carried = carry_moving(pair, affine_transform(away, grid), CPU)
    assert carried.scan.outside.all()
    np.testing.assert_allclose(carried.scan.values, pair.moving_units.stored(-1000.0), atol=1e-4)
