"""A pair's transforms, scans and masks as files, and points in files of any frame."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from lungreg.formats.points.files import decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.formats.transforms import describe_transform, encode_displacement
from lungreg.formats.transforms.itk_files import encode_transform_files
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Frame, Grid, convert_points
from lungreg.spatial.total_displacement import total_displacement_mm
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, breath, interior, scan

TRANSFORM = breath(down_mm=20)
POINTS = interior(FIXED, 12, margin=4)
MOVED = transform_points(TRANSFORM, POINTS)


@cache
def written() -> dict[str, bytes]:
    """A pair's files: transforms, scans and masks."""
    made: dict[str, object] = {}
    files = encode_transform_files(
        TRANSFORM, fixed=FIXED, moving=MOVING, moving_lungs=None, made=made
    )
    total = total_displacement_mm(TRANSFORM.affine, TRANSFORM.displacement_mm, FIELD)
    described = describe_transform(TRANSFORM, fixed=FIXED, moving=MOVING, made=made)
    stored = Stored(dtype="int16", slope=0.5, intercept=-1000.0)
    return {
        **files,
        "displacement.nii.gz": encode_displacement(total, FIELD),
        "displacement.json": json.dumps(described).encode(),
        "fixed.nii.gz": encode_volume(scan(FIXED), FIXED, stored),
        "moving.nii.gz": encode_volume(scan(), MOVING, stored),
        "mask.nii.gz": encode_labels((scan() > -500) * np.uint8(7), MOVING),
    }


def write_files(folder: Path) -> Path:
    """Write the pair's files to a folder."""
    for name, data in written().items():
        (folder / name).write_bytes(data)
    return folder


def points_file(folder: Path, name: str, ras: np.ndarray, frame: Frame, grid: Grid) -> Path:
    """Points in a file of a frame."""
    points = np.asarray(convert_points(ras, Frame.RAS, frame, grid=grid), dtype=np.float64)
    labels = tuple(f"L{n}" for n in range(len(points)))
    path = folder / name
    path.write_bytes(encode_points(PointList(points=points, frame=frame, labels=labels), name))
    return path


def read_points(path: Path, frame: Frame, grid: Grid) -> np.ndarray:
    """Points of a file in RAS."""
    return convert_points(
        decode_points(path.read_bytes(), path.name).points, frame, Frame.RAS, grid=grid
    )
