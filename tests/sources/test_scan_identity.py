"""A scan is known by what it shows, not by the file that it came in."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, inv_ornt_aff

from lungreg.formats.volumes import Stored, Volume, decode_scan, encode_volume
from lungreg.sources.scan_identity import cases_by_scan, scan_digest
from lungreg.spatial.geometry import Grid

RNG = np.random.default_rng(3)
SCAN = Volume(
    data=RNG.integers(-1000, 400, (6, 5, 4)).astype(np.float32),
    grid=Grid(shape=(6, 5, 4), affine=np.diag([1.5, 2.0, 3.0, 1.0])),
    stored=Stored(dtype="int16"),
)
FLIPPED = np.array([[1, -1], [2, 1], [0, -1]])
"""An order of axes and directions that another tool may choose."""


def turned(scan: Volume) -> Volume:
    """The same scan, its array in another order."""
    data = apply_orientation(scan.data, FLIPPED)
    affine = scan.grid.affine @ inv_ornt_aff(FLIPPED, scan.data.shape)
    nx, ny, nz = data.shape
    return Volume(data=data, grid=Grid(shape=(nx, ny, nz), affine=affine), stored=scan.stored)


def changed(scan: Volume, **changes: object) -> Volume:
    """The scan with another array or grid."""
    return Volume(**{"data": scan.data, "grid": scan.grid, "stored": scan.stored, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "offset"),
    [
        (turned(SCAN), 0.0),
        (changed(SCAN, data=SCAN.data + 1024), 1024.0),
        (changed(SCAN, grid=Grid(shape=(6, 5, 4), affine=np.eye(4))), 0.0),
        (
            decode_scan(
                gzip.compress(gzip.decompress(encode_volume(SCAN.data, SCAN.grid, SCAN.stored)), 1)
            ),
            0.0,
        ),
    ],
)
def test_a_copy_is_known(other: Volume, offset: float) -> None:
    """Axes in another order, an offset, another position, another compression."""
    assert scan_digest(other, offset) == scan_digest(SCAN, 0.0)


def test_another_scan_is_another() -> None:
    """One voxel by one unit, or the same values in another shape."""
    data = SCAN.data.copy()
    data[2, 3, 1] += 1
    assert scan_digest(changed(SCAN, data=data), 0.0) != scan_digest(SCAN, 0.0)
    flat = changed(
        SCAN, data=SCAN.data.reshape(5, 6, 4), grid=Grid(shape=(5, 6, 4), affine=np.eye(4))
    )
    assert scan_digest(flat, 0.0) != scan_digest(SCAN, 0.0)


def test_cases_that_share_a_scan() -> None:
    """As fixed or as moving scan; one case twice in itself is none."""
    scans = {"a": ("1", "2"), "b": ("3", "1"), "c": ("4", "4"), "d": ("5", "6"), "e": ("6", "7")}
    assert cases_by_scan(scans) == [["a", "b"], ["d", "e"]]
    assert cases_by_scan({}) == []
