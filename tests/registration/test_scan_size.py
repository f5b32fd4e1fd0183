"""Scan sizes: voxels of 1 mm that nobody set, told from those of a scan resampled to 1 mm."""

from __future__ import annotations

import numpy as np
import pytest

from lungreg.registration.scan_size import has_unset_size, is_chest_sized
from lungreg.spatial.geometry import Grid, Shape


def grid(shape: Shape, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    """Axes along the world's."""
    return Grid(shape=shape, affine=np.diag([*spacing_mm, 1.0]))


@pytest.mark.parametrize("shape", [(64, 64, 64), (96, 80, 96), (512, 512, 30), (1200, 512, 512)])
def test_voxels_of_1_mm_in_no_chest_were_never_set(shape: Shape) -> None:
    """Too small, a slab of 512 pixels by 30 slices, or longer than a person's trunk."""
    assert has_unset_size(grid(shape))


@pytest.mark.parametrize(
    "right",
    [
        grid((320, 300, 280)),
        grid((512, 512, 60)),
        grid((64, 64, 64), (4.0, 4.0, 4.0)),
        grid((80, 80, 80), (1.0, 1.0, 1.01)),
        grid((64, 64, 64), (0.9, 0.9, 0.9)),
    ],
)
def test_a_voxel_size_that_a_header_gives_is_not_doubted(right: Grid) -> None:
    """Resampled to 1 mm, or any other size: whether it is right is asked elsewhere."""
    assert not has_unset_size(right)


def test_a_mirrored_axis_changes_nothing() -> None:
    """Headers of scans from DICOM count x and y backwards."""
    turned = Grid(shape=(64, 64, 64), affine=np.diag([-1.0, -1.0, 1.0, 1.0]))
    assert has_unset_size(turned)
    assert not is_chest_sized(turned)
