"""Read a transform from a file of any known format, with the JSON beside it if there is one."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungreg.errors import ConfigError, DataError, LungregError, UnreadableFileError
from lungreg.formats.local_files import read_file
from lungreg.formats.placement import right_angled
from lungreg.formats.transforms import (
    COMPOSITE_SUFFIXES,
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    Description,
    decode_composite,
    decode_description,
)
from lungreg.formats.transforms.elastix import is_elastix, read_elastix
from lungreg.formats.transforms.field_files import (
    FIELD_IMAGE_SUFFIXES,
    decode_field,
    read_field_image,
)
from lungreg.formats.transforms.fields import (
    ITK_DISPLACEMENT,
    UNSAID,
    FieldMeaning,
    VectorField,
    total_displacement,
)
from lungreg.formats.transforms.vectors import total_transform
from lungreg.spatial.geometry import Frame, Grid, Transform

_NIFTI_SUFFIXES = (".nii.gz", ".nii")
_FIELD_SUFFIXES = (*_NIFTI_SUFFIXES, *FIELD_IMAGE_SUFFIXES)
_INVERSE = re.compile(r"_inverse$|Inverse(?=Warp$)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownTransform:
    """A transform, with the grids of its scans where they are known."""

    transform: Transform
    direction: str
    """`FIXED_TO_MOVING` or `MOVING_TO_FIXED`: how the file carries points."""
    start: Grid | None
    """Grid of the scan whose points it takes; an image resampled through it lies on this grid."""
    end: Grid | None
    """Grid of the scan that it leads to; None where it is not known."""
    frame: Frame | None = None
    """RAS or LPS, as the vectors of its file were read; None of a file without vectors."""

    @property
    def is_described(self) -> bool:
        """Whether a JSON of lungreg beside the file says what it is."""
        return self.end is not None


def require_fields(paths: Sequence[Path], said: FieldMeaning) -> None:
    """Refuse a meaning of vectors that is said of files without any.

    Raises:
        ConfigError: None of the files is a vector field by its name.
    """
    if said != UNSAID and not any(map(_holds_vectors, paths)):
        msg = f"--field-kind and --field-frame are for vector fields ({', '.join(_FIELD_SUFFIXES)})"
        raise ConfigError(msg, got="transforms that say it themselves", mend="leave them out")


def _holds_vectors(path: Path) -> bool:
    """Whether a file holds vectors on a grid, by its name."""
    return path.name.lower().endswith(_FIELD_SUFFIXES)


def read_transform(path: Path, said: FieldMeaning = UNSAID) -> KnownTransform:
    """Read a transform of this or another tool.

    An ITK file (.h5, .tfm, .txt, .mat), a parameter file of elastix (.txt), or a vector field
    (.nii.gz, .nii, .mha, .mhd, .nrrd, .nhdr).

    Direction and grids come from the JSON beside it, of the same name without "inverse". With it,
    the affine is separated from a total displacement, so that `u` alone is continued beyond the
    grid. Without it a file is taken as fixed to moving, and its field's grid as the fixed scan's.

    Args:
        path: The file.
        said: What the user says that the vectors of a field are; of a field with our JSON beside
            it, it is known.

    Raises:
        MissingFileError: Not there.
        UnreadableFileError: Not a transform, cut off or damaged.
        DataError: A kind of transform that is not supported, or a field whose meaning is not known.
    """
    try:
        return _read(path, said)
    except LungregError as error:
        error.where = error.where or path
        error.mend = error.mend or "give transforms first and what they carry last"
        raise


def _read(path: Path, said: FieldMeaning) -> KnownTransform:
    known = _description(path)
    directions = {} if known is None else known.directions
    direction = directions.get(path.name, FIXED_TO_MOVING)
    name, own, frame = path.name.lower(), None, None
    if _holds_vectors(path):
        affine = np.eye(4) if known is None else known.affine
        affine = np.linalg.inv(affine) if direction == MOVING_TO_FIXED else affine
        field = _read_field(path)
        meaning = said if known is None else ITK_DISPLACEMENT
        total_mm, frame = total_displacement(field, meaning), meaning.frame or field.meaning.frame
        transform = total_transform(total_mm, field.grid, affine)
    elif name.endswith(COMPOSITE_SUFFIXES):
        data = read_file(path)
        if name.endswith(".txt") and is_elastix(data):
            transform, own = read_elastix(path)
        else:
            transform = decode_composite(data, suffix=path.suffix)
    else:
        msg = f"a transform ends in {', '.join((*COMPOSITE_SUFFIXES, *_FIELD_SUFFIXES))}"
        raise UnreadableFileError(msg, got=path.suffix or "no suffix", mend="convert it")
    start, end = _image_grid(transform.grid if own is None else own), None
    if known is not None:
        grids = known.fixed, known.moving
        start, end = grids if direction == FIXED_TO_MOVING else grids[::-1]
    return KnownTransform(
        transform=transform, direction=direction, start=start, end=end, frame=frame
    )


def _read_field(path: Path) -> VectorField:
    is_nifti = path.name.lower().endswith(_NIFTI_SUFFIXES)
    field = decode_field(read_file(path)) if is_nifti else read_field_image(path)
    for remark in field.remarks:
        _log.warning("%s", remark.text)
    return field


def _image_grid(grid: Grid) -> Grid | None:
    """The grid of a field if an image can be written on it: none of an affine, none with shear."""
    if grid.size == 1:
        return None
    try:
        return Grid(shape=grid.shape, affine=right_angled(grid.affine, grid.shape).affine)
    except DataError:
        return None


def _description(path: Path) -> Description | None:
    """The JSON beside a transform; None where there is none that lungreg wrote."""
    suffixes = (*_FIELD_SUFFIXES, *COMPOSITE_SUFFIXES)
    ends = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    stem = path.name[: -len(ends[0])] if ends else path.stem
    beside = path.with_name(_INVERSE.sub("", stem) + ".json")
    if not beside.is_file():
        return None
    try:
        return decode_description(read_file(beside))
    except DataError as error:
        _log.warning("the JSON beside a transform is not read: %s", error.anonymous)
        return None
