"""MetaImage, NRRD and DICOM series through SimpleITK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.placement import Placement, in_millimetres, right_angled
from lungreg.formats.volumes.codec import check_depth, to_labels
from lungreg.formats.volumes.itk_header import read_itk_header
from lungreg.formats.volumes.volume import Stored, Volume
from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray, Grid

_POSITION_TAG = "0020|0032"
_MAX_UNEVEN = 0.05
_MAX_TILT = 0.02
_MM = (np.ones(3), "mm")


def read_itk_file(path: Path, *, mask: bool, max_voxels: int) -> Volume:
    """Read a MetaImage or NRRD file; a `VolumeReader`.

    Raises:
        UnreadableFileError: SimpleITK cannot read it.
        UnsafeInputError: More voxels than allowed, or data in a file outside its folder.
        DataError: Not three-dimensional, not single real numbers, sheared, or lengths in a unit
            that is none.
    """
    header = read_itk_header(path)
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
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable() from error
    return _to_volume(image, mask=mask, units=header.millimetres())


def read_series(folder: Path, *, mask: bool, max_voxels: int) -> Volume:
    """Read a folder that holds the files of one DICOM series.

    Raises:
        UnreadableFileError: No DICOM series, or one that SimpleITK cannot read.
        UnsafeInputError: More voxels than allowed.
        DataError: Several series, uneven or missing slices, a tilted gantry.
    """
    files = _series_files(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    reader.MetaDataDictionaryArrayUpdateOn()
    first = sitk.ImageFileReader()
    first.SetFileName(files[0])
    try:
        first.ReadImageInformation()
        columns, rows, *frames = first.GetSize()
        size = (columns, rows, len(files) * (frames or [1])[0])
        _check(size, first.GetNumberOfComponents(), first.GetPixelID(), max_voxels)
        _check_slices(_positions(files), first.GetDirection())
        image = reader.Execute()
    except RuntimeError as error:
        raise _unreadable() from error
    return replace(_to_volume(image, mask=mask), stored=Stored(dtype="int16"))


def _series_files(folder: Path) -> tuple[str, ...]:
    with _silence():
        series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if not series:
        msg = "a folder given as a scan holds one DICOM series"
        mend = "name the folder that holds its files themselves, not one above"
        raise UnreadableFileError(msg, got="none", mend=mend, where=folder)
    if len(series) > 1:
        msg = "a folder given as a scan holds one DICOM series"
        raise DataError(msg, got=len(series), mend="put each series in a folder of its own")
    return tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0]))


@contextmanager
def _silence() -> Iterator[None]:
    """Keep ITK from writing warnings with paths to standard error: errors are raised here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _positions(files: tuple[str, ...]) -> FloatArray:
    """(N, 3) LPS mm of the first voxel of each slice, or fewer rows where the tag is missing."""
    found = []
    for name in files:
        reader = sitk.ImageFileReader()
        reader.SetFileName(name)
        reader.ReadImageInformation()
        if reader.HasMetaDataKey(_POSITION_TAG):
            found.append([float(x) for x in reader.GetMetaData(_POSITION_TAG).split("\\")])
    return np.array(found, dtype=np.float64).reshape(-1, 3)


def _check_slices(positions: FloatArray, direction: tuple[float, ...]) -> None:
    if len(positions) < 2:
        return
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    spacing_mm = float(np.linalg.norm(step))
    even = positions[0] + np.arange(len(positions))[:, None] * step
    gap_mm = float(np.abs(positions - even).max())
    if spacing_mm == 0 or gap_mm > _MAX_UNEVEN * spacing_mm:
        msg = "the slices of a series are evenly spaced, without gaps or doubles"
        got = f"{gap_mm:.2f} mm off"
        raise DataError(msg, got=got, mend="add the missing slices or remove doubles")
    normal = np.asarray(direction, dtype=np.float64).reshape(3, 3)[:, 2]
    if np.linalg.norm(step - (step @ normal) * normal) > _MAX_TILT * spacing_mm:
        msg = "the slices of a series are stacked at right angles"
        raise DataError(msg, got="a tilted gantry", mend="resample the series first")


def _check(size: tuple[int, ...], components: int, pixel: int, max_voxels: int) -> None:
    if len(size) != 3:
        msg = "a volume has three dimensions"
        raise DataError(msg, got=f"{len(size)} {tuple(size)}")
    check_depth(tuple(size))
    if components != 1 or pixel in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        msg = "values must be single real numbers"
        raise DataError(msg, got="colours, vectors or complex numbers")
    if int(np.prod(size, dtype=object)) > max_voxels:
        msg = f"a volume has at most {max_voxels} voxels"
        mend = "if the file is to be trusted, raise ingest.max_voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, size)), mend=mend)


def _to_volume(image: Any, *, mask: bool, units: tuple[FloatArray, str] = _MM) -> Volume:
    """A volume of a SimpleITK image, whose array has axes (Z, Y, X) and whose world is LPS."""
    values = sitk.GetArrayViewFromImage(image).transpose()
    placement = image_placement(image, units)
    grid = Grid(shape=values.shape, affine=placement.affine)
    data = to_labels(values) if mask else values.astype(np.float32)
    stored = Stored(dtype=values.dtype.name)
    return Volume(data=data, grid=grid, stored=stored, remarks=placement.remarks)


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
    msg = "the file must be complete and of the format that its name says"
    return UnreadableFileError(msg, got="one that SimpleITK cannot read", mend="copy it again")
