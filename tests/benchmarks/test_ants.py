"""ANTs applies our files as we do. Runs in the environment of `nox -s bench`, which has ANTs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungreg.formats.transforms import encode_composite, encode_displacement
from lungreg.formats.volumes import Stored, encode_volume
from lungreg.spatial.displacement import dense_displacement, resample
from lungreg.spatial.geometry import Grid
from lungreg.spatial.total_displacement import total_displacement_mm
from tests.formats.transforms.breathing import FIXED, MOVING, breath, scan

ants = pytest.importorskip("ants")


@pytest.mark.parametrize("name", ["displacement.nii.gz", "transform.h5"])
def test_ants_resamples_as_we_do(name: str, tmp_path: Path) -> None:
    """Its image through our file and ours differ by less than 1 HU, on oblique grids."""
    transform, moving = breath(FIXED, down_mm=30), scan()
    dense = dense_displacement(transform, FIXED)
    ours = resample(moving, MOVING, FIXED, transform.affine, dense)
    if name.endswith(".h5"):
        data = encode_composite(transform)
    else:
        data = encode_displacement(total_displacement_mm(transform.affine, dense, FIXED), FIXED)
    (tmp_path / name).write_bytes(data)
    images = [
        as_ants(values, grid, tmp_path) for values, grid in ((ours.values, FIXED), (moving, MOVING))
    ]
    found = ants.apply_transforms(images[0], images[1], [str(tmp_path / name)]).numpy()
    inside = ~ours.outside & (found != 0)
    assert inside.mean() > 0.5
    assert np.abs(found - ours.values)[inside].max() < 1
    assert np.abs(ours.values - scan(FIXED))[inside].max() > 100


def as_ants(values: np.ndarray, grid: Grid, folder: Path) -> object:
    """An image as ANTs reads it from our file."""
    path = folder / "scan.nii.gz"
    path.write_bytes(encode_volume(values, grid, Stored(dtype="float32")))
    return ants.image_read(str(path))
