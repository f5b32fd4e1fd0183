"""Offsets from Hounsfield units, found in scans with noise, padding and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.volumes import check_scan, hu_offset, read_volume


def thorax(*, noise: float = 15.0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A body with two lungs and a spine in air, in HU, with the lungs' mask."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in (48, 40, 32)], indexing="ij")
    body = (x / 0.85) ** 2 + (y / 0.75) ** 2 < 1
    lungs = ((np.abs(x) - 0.38) / 0.27) ** 2 + (y / 0.45) ** 2 + (z / 0.9) ** 2 < 1
    scan = np.where(lungs, -780.0, np.where(body, 40.0, -1000.0))
    scan[(x**2 + (y - 0.6) ** 2) < 0.01] = 700.0
    scan += np.random.default_rng(0).normal(0, noise, scan.shape)
    return scan.astype(np.float32), lungs


@pytest.mark.parametrize("offset", [0.0, 1000.0, 1024.0])
@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("padding", [None, -1024.0, -2000.0, -3024.0])
def test_offset_of_a_thorax_is_found(offset: float, with_mask: bool, padding: float | None) -> None:
    """With and without a mask, with padding outside the field of view and without."""
    scan, lungs = thorax()
    scan += np.float32(offset)
    if padding is not None:
        scan[:3] = scan[-3:] = padding
    verdict = hu_offset(scan, lungs if with_mask else None)
    assert (verdict.offset, verdict.plausible) == (offset, True)


@pytest.mark.parametrize("noise", [5.0, 15.0, 40.0])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_offset_is_found_where_values_were_clipped_at_air(offset: float, noise: float) -> None:
    """Files that hold no value below air are as common."""
    scan, lungs = thorax(noise=noise)
    clipped = np.maximum(scan, -1000) + np.float32(offset)
    assert hu_offset(clipped).offset == offset
    assert hu_offset(clipped, lungs).offset == offset


@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("scale", [1 / 1000, 255 / 1500])
def test_what_is_no_ct_is_implausible(scale: float, with_mask: bool) -> None:
    """A scan carried to 0..1 or to 8 bits is not in Hounsfield units."""
    scan, lungs = thorax()
    assert not hu_offset((scan + 1000) * scale, lungs if with_mask else None).plausible


@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("around", [-1024.0, -3024.0, -1000.0])
def test_lungs_cut_out_of_their_surroundings(offset: float, around: float) -> None:
    """Vessels are all the tissue that is left."""
    scan, lungs = thorax()
    scan[20:28, ::4], lungs[:, :2] = 40.0, False
    scan[14:18, 18:22] = 40.0
    verdict = hu_offset(np.where(lungs, scan, np.float32(around)) + np.float32(offset))
    assert (verdict.offset, verdict.plausible) == (offset, True)


def test_a_negative_is_implausible() -> None:
    """Lungs are where bone should be."""
    scan, _ = thorax()
    scan[20:28, 30:35] += 660
    assert not hu_offset(-scan).plausible


@pytest.mark.parametrize(("low", "cut"), [(-600.0, -600.0), (-1024.0, None)])
def test_a_window_that_cuts_off_lung_is_seen(low: float, cut: float | None) -> None:
    """Not one that cuts off below the air of a room, nor padding beside it."""
    scan, lungs = thorax()
    windowed = np.clip(scan, low, 400)
    windowed[:2] = -3024
    assert hu_offset(windowed, lungs).cut_at_hu == cut


def test_values_cut_off_at_0_are_no_offset() -> None:
    """Bones lie where soft tissue of a stored scan would, and tissue where lungs would."""
    scan, _ = thorax()
    scan[23:26, 31:34] = 900
    assert not hu_offset(np.clip(scan, 0, 2000)).plausible


def test_a_mask_of_tissue_makes_a_scan_implausible() -> None:
    """A mask that marks the body instead of the lungs is not taken for an offset."""
    scan, lungs = thorax()
    verdict = hu_offset(scan, ~lungs & (scan > -200))
    assert (verdict.offset, verdict.plausible) == (0.0, False)


def test_a_mask_of_another_shape_is_refused() -> None:
    """The mask of another scan is refused."""
    scan, lungs = thorax()
    with pytest.raises(DataError, match="a mask of this scan has shape"):
        hu_offset(scan, lungs[:-1])


@pytest.mark.real
@pytest.mark.parametrize("name", ["cip_ct64/{}.nii.gz", "lung_fcp/{}_1p5mm.nii.gz"])
@pytest.mark.parametrize("offset", [0.0, 1000.0, 1024.0])
def test_offset_of_real_scans_is_found(real_data: Path, name: str, offset: float) -> None:
    """Real air, real padding, with and without the mask."""
    scan = read_volume(real_data / name.format("ct"))
    lungs = read_volume(real_data / name.format("lung_mask"), mask=True)
    check_scan(scan)
    for mask in (None, lungs.data):
        verdict = hu_offset(scan.data + offset, mask)
        assert (verdict.offset, verdict.plausible) == (offset, True)


@pytest.mark.real
@pytest.mark.parametrize("name", ["cip_ct64/{}.nii.gz", "lung_fcp/{}_1p5mm.nii.gz"])
def test_real_values_cut_off_at_0_are_no_offset(real_data: Path, name: str) -> None:
    """Lung and air are one value there."""
    scan = read_volume(real_data / name.format("ct"))
    assert not hu_offset(np.clip(scan.data, 0, 2000)).plausible
