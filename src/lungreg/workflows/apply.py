"""Apply: images, masks and points through transforms of this or other tools."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import ConfigError, DataError, LungregError
from lungreg.formats.local_files import read_file, refuse_overwriting, write_file
from lungreg.formats.points.files import POINT_SUFFIXES, decode_points, encode_points
from lungreg.formats.points.point_list import PointList
from lungreg.formats.transforms import FIXED_TO_MOVING, MOVING_TO_FIXED
from lungreg.formats.transforms.fields import UNSAID, FieldMeaning
from lungreg.formats.transforms.reading import (
    KnownTransform,
    read_transform,
    require_fields,
)
from lungreg.formats.volumes import Volume, encode_labels, encode_volume, hu_offset, read_volume
from lungreg.records.summary import Facts, Summary
from lungreg.registration.intensity import AIR_HU
from lungreg.spatial.composition import chain_points, resample_through
from lungreg.spatial.geometry import FloatArray, Frame, Grid, convert_points
from lungreg.spatial.inversion import invert_points

IMAGE_SUFFIXES = (".nii.gz", ".nii")
DIRECTIONS = {"fixed-to-moving": FIXED_TO_MOVING, "moving-to-fixed": MOVING_TO_FIXED}
_log = logging.getLogger(__name__)
_SAMPLE = 1_000_000
_MOST_LABELS = 32
MAX_RESIDUAL_MM = 0.01
"""Above it, an inverted point is reported: the transform folds there."""


@dataclass(frozen=True, kw_only=True, repr=False)
class AppliedImage(Summary):
    """The result of applying transforms to an image or mask."""

    outside_pct: float
    """Share of the reference's voxels that the transforms carry out of the image, %."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return vars(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class AppliedPoints(Summary):
    """The result of applying transforms to a list of points."""

    points: int
    inexact: int
    """Points whose inverse misses by more than `MAX_RESIDUAL_MM`: the transform folds there."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return vars(self)


def is_points(path: Path) -> bool:
    """Whether a file of this name holds points."""
    return path.name.lower().endswith(POINT_SUFFIXES)


def apply_to_image(
    transforms: Sequence[Path],
    image: Path,
    out: Path,
    *,
    reference: Path | None = None,
    order: int = 1,
    nearest: bool = False,
    outside_value: float | None = None,
    field: FieldMeaning = UNSAID,
) -> AppliedImage:
    """Carry an image or mask onto a reference's grid through transforms, interpolated once.

    A point of the reference goes through the transforms in the order given, as in
    antsApplyTransforms, and the image is sampled where it arrives. `transform.h5` carries a moving
    image onto the fixed grid, `transform_inverse.h5` a fixed image onto the moving one.

    Args:
        transforms: Files; see `read_transform`.
        image: Scan or mask in any readable format. Its stored scale and type are kept.
        out: .nii.gz or .nii.
        reference: A scan whose grid is wanted; None takes the one that the JSON beside the first
            transform names, else that transform's own.
        order: Of the spline between voxels, 0 to 3.
        nearest: Read the image as labels and move them with nearest neighbour.
        outside_value: What voxels get whose point lies outside the image; None is air of the
            image's scale where it looks like a CT, else its lowest value. Labels get 0.
        field: What the vectors of fields of other tools are, where the files do not say it.

    Raises:
        ConfigError: No transform, an output of another format, an unknown grid, or a meaning for
            files that are no fields.
        DataError: A file that cannot be read as what it should be.
        RunError: The output cannot be written.
    """
    if not out.name.lower().endswith(IMAGE_SUFFIXES):
        msg = f"an image is written as {' or '.join(IMAGE_SUFFIXES)}"
        raise ConfigError(msg, got=out.suffix or "no suffix", where=out)
    refuse_overwriting(out, [*transforms, image, reference])
    known = _read_all(transforms, field)
    grid = _wanted(reference, known[0])
    volume = _read_volume(image, mask=nearest)
    if not nearest and order > 0 and _looks_like_labels(volume):
        _log.warning("these look like labels, which are blended: --nearest keeps them whole")
    if outside_value is None:
        outside_value = 0.0 if nearest else _air(volume)
    found = resample_through(
        volume.data,
        volume.grid,
        [one.transform for one in known],
        grid,
        order=0 if nearest else order,
        outside_value=outside_value,
    )
    data = (
        encode_labels(found.values, grid)
        if nearest
        else encode_volume(found.values, grid, volume.stored)
    )
    write_file(out, data if out.name.lower().endswith(".gz") else gzip.decompress(data))
    return AppliedImage(outside_pct=100.0 * float(found.outside.mean()))


def apply_to_points(
    transforms: Sequence[Path],
    points: Path,
    out: Path,
    *,
    frame: str | None = None,
    direction: str | None = None,
    input_grid: Path | None = None,
    reference: Path | None = None,
    field: FieldMeaning = UNSAID,
) -> AppliedPoints:
    """Carry points through transforms, or through their inverses, point by point.

    Args:
        transforms: Files; see `read_transform`.
        points: .csv, .fcsv or .mrk.json.
        out: .csv, .fcsv or .mrk.json; labels are kept. Points are written in the input's frame;
            Slicer's formats, which cannot hold voxels, get LPS.
        frame: "voxel", "ras" or "lps": needed for .csv, said by the others themselves.
        direction: "fixed-to-moving" or "moving-to-fixed"; None takes each file as it maps, in the
            order given. Against the files' own direction their inverses are computed exactly at
            each point, from the last file to the first.
        input_grid: The scan whose voxels the input has, for `frame` voxel; None takes the one that
            the JSON beside the transform names.
        reference: The scan whose voxels the output has, for `frame` voxel; None takes the one
            that the JSON beside the transform names.
        field: What the vectors of fields of other tools are, where the files do not say it.

    Raises:
        ConfigError: No transform, a frame or direction that is missing, unknown or contradicts a
            file, or an unknown grid.
        DataError: A file that cannot be read as what it should be.
        RunError: The output cannot be written.
    """
    refuse_overwriting(out, [*transforms, points, input_grid, reference])
    known = _read_all(transforms, field)
    listed = _read_points(points, frame)
    is_inverse = _is_against(known, direction)
    start, end = known[0].start, known[-1].end
    start, end = (end, start) if is_inverse else (start, end)
    ras = _to_ras(listed, input_grid, start)
    moved, inexact = _inverted(known, ras) if is_inverse else (_forward(known, ras), 0)
    write_file(out, _encode(listed, moved, out, reference, end))
    return AppliedPoints(points=len(moved), inexact=inexact)


def _read_all(transforms: Sequence[Path], said: FieldMeaning) -> list[KnownTransform]:
    if not transforms:
        msg = "apply takes at least one transform"
        raise ConfigError(msg, got="none")
    require_fields(transforms, said)
    return [read_transform(path, said) for path in transforms]


def _read_volume(path: Path, *, mask: bool = False) -> Volume:
    """Read a scan or mask, and say what is odd about its header."""
    volume = read_volume(path, mask=mask)
    for remark in volume.remarks:
        _log.warning("%s", remark.text)
    return volume


def _wanted(reference: Path | None, known: KnownTransform) -> Grid:
    if reference is not None:
        return _read_volume(reference).grid
    if known.start is None:
        msg = "the grid of the output is known"
        mend = "name a scan on it with --reference"
        raise ConfigError(msg, got="a transform without grids", mend=mend)
    if known.end is None:
        text = "no JSON beside the transform names a scan: the output lies on the field's own grid"
        _log.warning("%s; --reference names another", text)
    return known.start


def _looks_like_labels(volume: Volume) -> bool:
    """Whether a sample of the values is a few whole numbers from 0 on."""
    # In the order of memory, which differs by format: any other would copy the volume.
    sample = volume.data.ravel(order="K")[:: max(1, volume.data.size // _SAMPLE)]
    if not np.array_equal(sample, np.round(sample)):
        return False
    return float(sample.min()) >= 0 and len(np.unique(sample)) <= _MOST_LABELS


def _air(volume: Volume) -> float:
    verdict = hu_offset(volume.data)
    return AIR_HU + verdict.offset if verdict.plausible else float(np.nanmin(volume.data))


def _read_points(path: Path, frame: str | None) -> PointList:
    try:
        listed = decode_points(read_file(path), path.name)
    except LungregError as error:
        error.where = error.where or path
        raise
    names = [known.value for known in Frame]
    if frame is not None and frame not in names:
        msg = f"a frame is one of {', '.join(names)}"
        raise ConfigError(msg, got=repr(frame))
    asked = None if frame is None else Frame(frame)
    if listed.frame is None and asked is None:
        msg = "points of a .csv come with the frame they are in"
        raise ConfigError(msg, got="none", mend=f"give --frame {', '.join(names)}")
    if listed.frame is not None and asked not in (None, listed.frame):
        msg = f"these points say themselves that they are in {listed.frame.value}"
        raise ConfigError(msg, got=f"--frame {frame}", mend="leave --frame out")
    return replace(listed, frame=listed.frame or asked)


def _is_against(known: Sequence[KnownTransform], direction: str | None) -> bool:
    """Whether points go against the direction in which the files map."""
    if direction is None:
        return False
    if direction not in DIRECTIONS:
        msg = f"a direction is one of {', '.join(DIRECTIONS)}"
        raise ConfigError(msg, got=repr(direction))
    own = {one.direction for one in known}
    if len(own) > 1:
        msg = "a direction is asked of transforms that all map the same way"
        mend = "leave --direction out: the files are taken as they map, in the order given"
        raise ConfigError(msg, got="files of both directions", mend=mend)
    return DIRECTIONS[direction] not in own


def _to_ras(listed: PointList, path: Path | None, known: Grid | None) -> FloatArray:
    if listed.frame is not Frame.VOXEL:
        return convert_points(listed.points, listed.frame or Frame.RAS, Frame.RAS)
    return convert_points(
        listed.points, Frame.VOXEL, Frame.RAS, grid=_voxel_grid(path, known, "--input-grid")
    )


def _voxel_grid(path: Path | None, known: Grid | None, option: str) -> Grid:
    if path is not None:
        return _read_volume(path).grid
    if known is None:
        msg = "voxel coordinates need the scan whose voxels are meant"
        raise ConfigError(msg, got="none", mend=f"name it with {option}")
    return known


def _forward(known: Sequence[KnownTransform], ras: FloatArray) -> FloatArray:
    return chain_points([one.transform for one in known], ras)


def _inverted(known: Sequence[KnownTransform], ras: FloatArray) -> tuple[FloatArray, int]:
    """Points through all inverses, last file first; and how many of them are inexact."""
    inexact: NDArray[np.bool_] = np.zeros(len(ras), dtype=bool)
    for one in reversed(known):
        ras, residual_mm = invert_points(one.transform, ras)
        inexact |= residual_mm > MAX_RESIDUAL_MM
    return ras, int(inexact.sum())


def _encode(
    listed: PointList, ras: FloatArray, out: Path, path: Path | None, known: Grid | None
) -> bytes:
    frame = listed.frame or Frame.RAS
    if frame is Frame.VOXEL and not out.name.lower().endswith(".csv"):
        frame = Frame.LPS
    grid = _voxel_grid(path, known, "--reference") if frame is Frame.VOXEL else None
    points = np.asarray(convert_points(ras, Frame.RAS, frame, grid=grid), dtype=np.float64)
    try:
        return encode_points(replace(listed, points=points, frame=frame), out.name)
    except DataError as error:
        error.where = error.where or out
        raise
