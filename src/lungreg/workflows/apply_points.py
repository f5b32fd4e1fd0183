"""Apply: points through transforms of this or other tools, or through their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungreg.errors import ConfigError, DataError, LungregError
from lungreg.formats.local_files import read_file, refuse_overwriting, write_file
from lungreg.formats.points.files import (
    POINT_SUFFIXES,
    decode_points,
    encode_points,
    unknown_format,
)
from lungreg.formats.points.point_list import PointList
from lungreg.formats.transforms import FIXED_TO_MOVING, MOVING_TO_FIXED
from lungreg.formats.transforms.fields import UNSAID, FieldMeaning
from lungreg.formats.transforms.reading import KnownTransform
from lungreg.records.summary import Facts, Summary
from lungreg.spatial.composition import chain_points
from lungreg.spatial.geometry import FloatArray, Frame, Grid, convert_points
from lungreg.spatial.inversion import invert_points
from lungreg.workflows.apply import read_scan, read_transforms

DIRECTIONS = {"fixed-to-moving": FIXED_TO_MOVING, "moving-to-fixed": MOVING_TO_FIXED}
MAX_RESIDUAL_MM = 0.01
"""Above it, an inverted point is reported: the transform folds there."""


@dataclass(frozen=True, kw_only=True, repr=False)
class AppliedPoints(Summary):
    """The result of applying transforms to a list of points."""

    points: int
    inexact: int
    """Points whose inverse misses by more than `MAX_RESIDUAL_MM`: the transform folds there."""
    outside: int = 0
    """Points that lie outside of the scan that they are of, where its grid is known."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return vars(self)


def is_points(path: Path) -> bool:
    """Whether a file of this name holds points."""
    return path.name.lower().endswith(POINT_SUFFIXES)


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
        out: .csv, .fcsv or .mrk.json. Points are written in the input's frame; Slicer's formats,
            which cannot hold voxels, get LPS. Ids, labels and descriptions are kept within one of
            Slicer's formats, between formats the labels alone; measurements are left out.
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
        ConfigError: No transform, an output that is an input or a folder, a frame or direction that
            is missing, unknown or contradicts a file, or an unknown grid.
        DataError: An output of another format, or a file that cannot be read as what it should be.
        RunError: The output cannot be written.
    """
    refuse_overwriting(out, [*transforms, points, input_grid, reference])
    require_points_name(out)
    known = read_transforms(transforms, field)
    listed = _read_points(points, frame)
    is_inverse = _is_against(known, direction)
    start, end = known[0].start, known[-1].end
    start, end = (end, start) if is_inverse else (start, end)
    of_scan = start if input_grid is None else read_scan(input_grid).grid
    ras = _to_ras(listed, of_scan)
    outside = 0 if of_scan is None else int((~of_scan.contains(ras)).sum())
    moved, inexact = _inverted(known, ras) if is_inverse else (_forward(known, ras), 0)
    write_file(out, _encode(listed, moved, out, reference, end))
    return AppliedPoints(points=len(moved), inexact=inexact, outside=outside)


def require_points_name(out: Path) -> None:
    """Refuse a name of another format than points are written in.

    Raises:
        DataError: It is of another one.
    """
    if not is_points(out):
        raise unknown_format(where=out)


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
    if listed.in_mm and asked is Frame.VOXEL:
        msg = "the titles of these points say that they are in mm"
        raise ConfigError(msg, got=f"--frame {frame}", mend="give --frame ras or lps")
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


def _to_ras(listed: PointList, grid: Grid | None) -> FloatArray:
    if listed.frame is not Frame.VOXEL:
        return convert_points(listed.points, listed.frame or Frame.RAS, Frame.RAS)
    grid = _voxel_grid(None, grid, "--input-grid")
    return convert_points(listed.points, Frame.VOXEL, Frame.RAS, grid=grid)


def _voxel_grid(path: Path | None, known: Grid | None, option: str) -> Grid:
    if path is not None:
        return read_scan(path).grid
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
