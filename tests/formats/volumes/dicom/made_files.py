"""DICOM files of any content, written with pydicom: single slices and enhanced multi-frame CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray, Grid

ORIENTATION = [0.96, 0.28, 0.0, -0.28, 0.96, 0.0]
"""Columns and rows turned about the body's axis."""
SPACING_MM = [0.7, 0.8]
STEP_MM = 2.5
ORIGIN = np.array([-10.0, -20.0, 5.0])

Edit = Callable[[Any, int], None]


def as_it_is(data: Any, k: int) -> None:
    """Change nothing."""


def chest() -> NDArray[np.int64]:
    """(Z, Y, X) Hounsfield units of a body with lungs and air around it, no two slices alike."""
    z, y, x = np.indices((6, 20, 24))
    hu = np.where((abs(x - 11.5) < 10) & (abs(y - 9.5) < 8), 40, -1000)
    hu = np.where((abs(abs(x - 11.5) - 5) < 4) & (abs(y - 9.5) < 6), -850 + 5 * z, hu)
    return np.asarray(hu, dtype=np.int64)


def position(k: int) -> FloatArray:
    """(3,) LPS mm of the first voxel of a slice."""
    return np.asarray(ORIGIN + np.array([0.0, 0.0, STEP_MM * k]))


def write_slices(
    folder: Path,
    values: NDArray[np.int64],
    *,
    bits: int = 16,
    signed: bool = True,
    edit: Edit = as_it_is,
) -> None:
    """One file a slice; `edit` changes the data set of slice k before it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, slice_values in enumerate(values):
        data = _dataset(CTImageStorage, f"1.2.3.4.{k + 1}")
        _put_pixels(data, slice_values, bits, signed)
        data.InstanceNumber = k + 1
        data.ImageOrientationPatient, data.PixelSpacing = ORIENTATION, SPACING_MM
        data.ImagePositionPatient = position(k).tolist()
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        edit(data, k)
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)


def write_enhanced(
    path: Path, values: NDArray[np.int64], *, order: list[int], edit: Edit = as_it_is
) -> None:
    """Enhanced CT with the slices of `values` as frames in another order, 12 bits unsigned.

    `edit` changes the functional groups of frame k, whose slice is `order[k]`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = _dataset(EnhancedCTImageStorage, "1.2.3.4.99")
    _put_pixels(data, values[order] + 1024, 12, signed=False)
    data.NumberOfFrames = len(order)
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=ORIENTATION)]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=SPACING_MM, SliceThickness=STEP_MM)]
    shared.PixelValueTransformationSequence = [_item(RescaleSlope=1, RescaleIntercept=-1024)]
    data.SharedFunctionalGroupsSequence = [shared]
    for k, place in enumerate(order):
        frame = Dataset()
        frame.PlanePositionSequence = [_item(ImagePositionPatient=position(place).tolist())]
        frame.FrameContentSequence = [_item(FrameAcquisitionNumber=1, InStackPositionNumber=k + 1)]
        frames.append(frame)
    data.PerFrameFunctionalGroupsSequence = frames
    for k, frame in enumerate(frames):
        edit(frame, k)
    data.save_as(path, enforce_file_format=True)


def expected_grid(slices: int) -> Grid:
    """Where the volume lies, by arithmetic."""
    columns, rows = np.array(ORIENTATION).reshape(2, 3)
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = columns * SPACING_MM[1], rows * SPACING_MM[0]
    lps[:3, 2], lps[:3, 3] = [0, 0, STEP_MM], ORIGIN
    return Grid(shape=(24, 20, slices), affine=RAS_TO_LPS @ lps)


def itk_series(folder: Path) -> tuple[NDArray[Any], FloatArray]:
    """(X, Y, Z) values and (4, 4) RAS affine of a series as SimpleITK reads it."""
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = sitk.ReadImage(files if len(files) > 1 else files[0])
    lps = np.eye(4)
    lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).transpose(), RAS_TO_LPS @ lps


def _dataset(sop_class: str, uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID = sop_class, uid
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.3", "1.2.3.4", "CT"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    return data


def _put_pixels(data: Any, values: NDArray[np.int64], bits: int, signed: bool) -> None:
    """In 16 bits each, of which the upper ones beyond those stored are 0."""
    data.Rows, data.Columns = values.shape[-2:]
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, bits, bits - 1
    data.PixelRepresentation = int(signed)
    data.PixelData = (values & (2**bits - 1)).astype("<u2").tobytes()


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item
