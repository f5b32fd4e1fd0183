"""MetaImage and NRRD through SimpleITK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.memory_order import c_ordered
from lungreg.formats.placement import Placement, in_millimetres, right_angled
from lungreg.formats.volumes.codec import check_depth, to_labels
from lungreg.formats.volumes.itk_data import require_data_files, require_length
from lungreg.formats.volumes.itk_geometry import (
    geometry_remarks,
    require_read_spacing,
    require_spacing,
)
from lungreg.formats.volumes.itk_header import ItkHeader, read_itk_header
from lungreg.formats.volumes.volume import Stored, Volume
from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray, Grid

_MM = (np.ones(3), "mm")


def read_itk_file(path: Path, *, mask: bool, max_voxels: int) -> Volume:
    """Read a MetaImage or NRRD file; a `VolumeReader`.

    Raises:
        UnreadableFileError: SimpleITK cannot read it.
        UnsafeInputError: More voxels than allowed, or data in a file outside its folder.
        DataError: Not three-dimensional, not single real numbers, sheared, without a spacing or
            with one that ITK reads otherwise, lengths in a unit that is none, or more values than
            declared.
    """
    header = read_itk_header(path)
    require_data_files(path, header)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable() from error
    size = reader.GetSize()
    if len(size) > 3 and set(size[3:]) == {1}:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
        size = size[:3]
    _check(size, reader.GetNumberOfComponents(), reader.GetPixelID(), max_voxels)
    require_spacing(header)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable() from error
    require_length(path, header, sitk.GetArrayViewFromImage(image).nbytes)
    require_read_spacing(header, image.GetSpacing())
    return _to_volume(image, mask=mask, header=header)


def _check(size: tuple[int, ...], components: int, pixel: int, max_voxels: int) -> None:
    if len(size) != 3:
        msg = "a volume has three dimensions"
        mend = "take one time point or channel" if len(size) > 3 else "stack the slices"
        raise DataError(msg, got=f"{len(size)} {tuple(size)}", mend=mend)
    check_depth(tuple(size))
    if components != 1 or pixel in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        msg = "values must be single real numbers"
        raise DataError(msg, got="colours, vectors or complex numbers")
    if int(np.prod(size, dtype=object)) > max_voxels:
        msg = f"a volume has at most {max_voxels} voxels"
        mend = "if the file is to be trusted, raise ingest.max_voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, size)), mend=mend)


def _to_volume(image: Any, *, mask: bool, header: ItkHeader) -> Volume:
    """A volume of a SimpleITK image, whose array has axes (Z, Y, X) and whose world is LPS."""
    values = sitk.GetArrayViewFromImage(image).transpose()
    placement = image_placement(image, header.millimetres())
    grid = Grid(shape=values.shape, affine=placement.affine)
    data = to_labels(values) if mask else c_ordered(values, np.float32)
    stored = Stored(dtype=values.dtype.name)
    remarks = (*geometry_remarks(header), *placement.remarks)
    return Volume(data=data, grid=grid, stored=stored, remarks=remarks)


def image_placement(image: Any, units: tuple[FloatArray, str] = _MM) -> Placement:
    """Where a SimpleITK image of three dimensions lies.

    Args:
        image: In LPS.
        units: (3,) mm of its unit of length along each world axis, and the unit's name.

    Raises:
        DataError: Not invertible, or sheared.
    """
    matrix = np.eye(4)
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3)
    matrix[:3, :3] = direction * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    converted = in_millimetres(RAS_TO_LPS @ matrix, *units)
    straight = right_angled(converted.affine, image.GetSize())
    return Placement(affine=straight.affine, remarks=converted.remarks + straight.remarks)


def _unreadable() -> UnreadableFileError:
    msg = "the file must be complete, of the format that its name says, and its header right"
    mend = "copy it again; if it stays so, write it again with the program that it is from"
    return UnreadableFileError(msg, got="one that SimpleITK cannot read", mend=mend)
