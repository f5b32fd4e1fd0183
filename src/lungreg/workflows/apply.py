"""Apply: images and masks through transforms of this or other tools."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungreg.errors import ConfigError
from lungreg.formats.local_files import refuse_overwriting, write_file
from lungreg.formats.transforms.fields import UNSAID, FieldMeaning
from lungreg.formats.transforms.reading import (
    KnownTransform,
    read_transform,
    require_fields,
)
from lungreg.formats.volumes import Volume, encode_labels, encode_volume, hu_offset, read_volume
from lungreg.records.summary import Facts, Summary
from lungreg.registration.intensity import AIR_HU
from lungreg.spatial.composition import resample_through
from lungreg.spatial.geometry import Grid

IMAGE_SUFFIXES = (".nii.gz", ".nii")
_log = logging.getLogger(__name__)
_SAMPLE = 1_000_000
_MOST_LABELS = 32


@dataclass(frozen=True, kw_only=True, repr=False)
class AppliedImage(Summary):
    """The result of applying transforms to an image or mask."""

    outside_pct: float
    """Share of the reference's voxels that the transforms carry out of the image, %."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return vars(self)


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
        ConfigError: No transform, an output of another format or that is an input or a folder, an
            unknown grid, or a meaning for files that are no fields.
        DataError: A file that cannot be read as what it should be.
        RunError: The output cannot be written.
    """
    refuse_overwriting(out, [*transforms, image, reference])
    require_image_name(out)
    known = read_transforms(transforms, field)
    grid = _wanted(reference, known[0])
    volume = read_scan(image, mask=nearest)
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


def require_image_name(out: Path) -> None:
    """Refuse a name of another format than images are written in.

    Raises:
        ConfigError: It is of another one.
    """
    if not out.name.lower().endswith(IMAGE_SUFFIXES):
        msg = f"an image is written as {' or '.join(IMAGE_SUFFIXES)}"
        raise ConfigError(msg, got=out.suffix or "no suffix", where=out)


def read_transforms(transforms: Sequence[Path], said: FieldMeaning) -> list[KnownTransform]:
    """Read the files of at least one transform.

    Raises:
        ConfigError: There is none, or a meaning is given for files that are no fields.
        DataError: A file that cannot be read as what it should be.
    """
    if not transforms:
        msg = "apply takes at least one transform"
        raise ConfigError(msg, got="none")
    require_fields(transforms, said)
    return [read_transform(path, said) for path in transforms]


def read_scan(path: Path, *, mask: bool = False) -> Volume:
    """Read a scan or mask, and say what is odd about its header."""
    volume = read_volume(path, mask=mask)
    for remark in volume.remarks:
        _log.warning("%s", remark.text)
    return volume


def _wanted(reference: Path | None, known: KnownTransform) -> Grid:
    if reference is not None:
        return read_scan(reference).grid
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
