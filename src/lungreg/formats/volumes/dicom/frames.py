"""The headers of a DICOM series as a list of frames: one of each file, or many of one."""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lungreg.errors import DataError, UnreadableFileError
from lungreg.formats.volumes.dicom.projections import ATTRIBUTES, projection
from lungreg.spatial.geometry import FloatArray

_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"),
    *("InstanceNumber", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    "PixelRepresentation",
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("RescaleSlope", "RescaleIntercept"),
    *("AcquisitionNumber", "TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase"),
    *("AcquisitionTime", "AcquisitionDateTime", "ConvolutionKernel", "KVP", "ImageType"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_PIXELS = 0x7FE0, 0x0010
"""The element's tag."""
_ELEMENT_BYTES = 12
"""Of the head of its element: tag, kind and length; without the kind in files that leave it out."""
_UNDEFINED_LENGTH = 0xFFFFFFFF
"""Of compressed pixels."""
_DATE_CHARACTERS = len("YYYYMMDD")
_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "FrameAcquisitionNumber": "FrameContentSequence",
    "TemporalPositionIndex": "FrameContentSequence",
    "NominalPercentageOfCardiacPhase": "CardiacSynchronizationSequence",
    "ConvolutionKernel": "CTReconstructionSequence",
    "KVP": "CTXRayDetailsSequence",
    "FrameType": "CTImageFrameTypeSequence",
    "VolumeBasedCalculationTechnique": "CTImageFrameTypeSequence",
}
"""The functional group of an enhanced file that holds an attribute."""
_PASSES = (
    *("AcquisitionNumber", "FrameAcquisitionNumber"),
    *("TemporalPositionIdentifier", "TemporalPositionIndex", "NominalPercentageOfCardiacPhase"),
    *("ConvolutionKernel", "KVP"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One slice: where it lies, and what it is a slice of."""

    file: Path
    index: int
    """Of the frame in its file, from 0."""
    uid: str
    """SOP instance: the same in copies of one file."""
    size: tuple[int, int]
    """Rows and columns."""
    position: FloatArray
    """(3,) LPS mm of the first voxel."""
    orientation: FloatArray
    """(2, 3) LPS directions along which columns and rows are counted."""
    spacing_mm: FloatArray
    """(2,) between rows and between columns."""
    scale: tuple[float, float]
    """Slope and intercept of the stored values."""
    is_scaled: bool
    """Whether its header gives them."""
    inverted: bool
    """Whether it is to be shown with its lowest values white (MONOCHROME1)."""
    bits: tuple[int, bool]
    """Bits that are stored, and whether numbers are signed."""
    sop_class: str
    frames: int
    """In its file."""
    projection: str | None
    """The kind of projection that made the slice, such as "MIP"; None of a slice of a scan."""
    passes: dict[str, str]
    """Attributes that tell acquisitions, phases and reconstructions apart, where given."""
    time_s: float | None
    """Time of acquisition in seconds of the day."""
    number: int | None
    """InstanceNumber, of a file of one frame."""


def read_frames(file: Path) -> list[Frame]:
    """The frames of a DICOM file, from its header alone.

    Raises:
        UnreadableFileError: Not a DICOM file, or damaged.
        DataError: No position, orientation or spacing; colours; bits in another place.
    """
    header = read_header(file)
    try:
        return _frames(file, header)
    except (TypeError, ValueError) as error:  # pydicom reads a number as it is asked for
        msg = "the numbers in a DICOM header are numbers"
        mend = "export the series again; a decimal comma is none"
        raise DataError(msg, got=type(error).__name__, mend=mend) from error


def _frames(file: Path, header: Any) -> list[Frame]:
    if int(header.get("SamplesPerPixel") or 1) != 1:
        msg = "values must be single real numbers"
        raise DataError(msg, got="colours")
    _require_low_bits(header)
    frames = int(header.get("NumberOfFrames") or 1)
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    if frames > 1 and len(per_frame) != frames:
        msg = "a multi-frame file says where each of its frames lies"
        raise DataError(msg, got=f"{len(per_frame)} of {frames}", mend="export it as a series")
    shared = header.get("SharedFunctionalGroupsSequence") or []
    groups = per_frame or [None]
    return [_frame(file, header, [own, *shared], k, frames) for k, own in enumerate(groups)]


def _require_low_bits(header: Any) -> None:
    """Refuse numbers that are not in the lowest bits: the standard retired them, GDCM errs."""
    stored, high = header.get("BitsStored"), header.get("HighBit")
    if stored and high is not None and int(high) != int(stored) - 1:
        msg = "numbers are stored in the lowest bits (HighBit is BitsStored - 1)"
        got = f"HighBit {high} and BitsStored {stored}"
        raise DataError(msg, got=got, mend="convert the series first, as gdcmconv does")


def read_header(file: Path, *, pixels: bool = False) -> Any:
    """The data set of a DICOM file: a few attributes, or all with the pixels.

    Raises:
        UnreadableFileError: Not a DICOM file, or damaged.
    """
    import pydicom  # only here: no other format needs it

    tags = None if pixels else list(_TAGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their texts hold values of the header
        try:
            with file.open("rb") as stream:
                header = pydicom.dcmread(
                    stream, stop_before_pixels=not pixels, specific_tags=tags, force=True
                )
                whole = pixels or _holds_its_pixels(stream, header)
        except Exception as error:  # pydicom raises many kinds for a damaged file
            raise _incomplete(type(error).__name__) from error
    if not whole:
        got = "one that is cut off, or has fewer pixels than rows and columns"
        raise _incomplete(got)
    return header


def _holds_its_pixels(stream: BinaryIO, header: Any) -> bool:
    """Whether the pixels, before whose element the stream stands, are as many as declared.

    Some versions of SimpleITK put zeros, without a word, where a file is cut off.
    """
    implicit, little = header.original_encoding
    start, order = stream.tell(), "<" if little else ">"
    element = stream.read(_ELEMENT_BYTES)
    if implicit is None or len(element) < _ELEMENT_BYTES:
        return True
    if struct.unpack(f"{order}2H", element[:4]) != _PIXELS:
        return True
    begin = _ELEMENT_BYTES - 4 if implicit else _ELEMENT_BYTES
    (length,) = struct.unpack(f"{order}I", element[begin - 4 : begin])
    if length == _UNDEFINED_LENGTH:
        return True
    missing = start + begin + int(length) - stream.seek(0, os.SEEK_END)
    return missing <= 0 and int(length) >= _declared_bytes(header)


def _declared_bytes(header: Any) -> int:
    """Bytes of the uncompressed pixels that a header declares; 0 where it does not say."""
    names = ("Rows", "Columns", "BitsAllocated")
    counts = [int(header.get(name) or 0) for name in names]
    frames = int(header.get("NumberOfFrames") or 1)
    return math.prod(counts) // 8 * int(header.get("SamplesPerPixel") or 1) * frames


def _incomplete(got: str) -> UnreadableFileError:
    msg = "a DICOM file must be complete"
    return UnreadableFileError(msg, got=got, mend="copy it again")


def _frame(file: Path, header: Any, groups: Sequence[Any], index: int, frames: int) -> Frame:
    def value(name: str) -> Any:
        return _value(header, groups, name)

    passes = {name: str(value(name)) for name in _PASSES if value(name) not in (None, "")}
    return Frame(
        file=file,
        index=index,
        uid=str(header.get("SOPInstanceUID", file.name)),
        size=(int(header.get("Rows") or 0), int(header.get("Columns") or 0)),
        position=_numbers(value("ImagePositionPatient"), "ImagePositionPatient", 3),
        orientation=_directions(value("ImageOrientationPatient")),
        spacing_mm=_numbers(value("PixelSpacing"), "PixelSpacing", 2),
        scale=_scale(value("RescaleSlope"), value("RescaleIntercept")),
        is_scaled=value("RescaleIntercept") not in (None, ""),
        inverted=str(header.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1",
        bits=(int(header.get("BitsStored") or 16), bool(header.get("PixelRepresentation"))),
        sop_class=str(header.get("SOPClassUID", "")),
        frames=frames,
        projection=projection(map(value, ATTRIBUTES)),
        passes=passes,
        time_s=_time_s(header) if frames == 1 else None,
        number=_number(header) if frames == 1 else None,
    )


def _scale(slope: Any, intercept: Any) -> tuple[float, float]:
    """Slope and intercept: 1 and 0 where the header has none."""
    scale = 1.0 if slope is None else float(slope), float(intercept or 0.0)
    if not (math.isfinite(scale[0]) and math.isfinite(scale[1])) or scale[0] == 0:
        msg = "the rescale slope and intercept of a slice are numbers, the slope not 0"
        got = f"RescaleSlope {slope} and RescaleIntercept {intercept}"
        raise DataError(msg, got=got, mend="export the series again; nothing is assumed")
    return scale


def _value(header: Any, groups: Sequence[Any], name: str) -> Any:
    """An attribute of a frame: its own, the one shared by all, or the file's."""
    for group in groups:
        items = None if group is None else group.get(_GROUPS.get(name, ""))
        if items and name in items[0]:
            return items[0].get(name)
    return header.get(name)


def _numbers(value: Any, name: str, count: int) -> FloatArray:
    try:
        numbers = np.array([float(x) for x in value], dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if len(numbers) != count or not np.isfinite(numbers).all():
        msg = f"every slice of a DICOM series says where it lies ({name})"
        mend = "export the series again with its geometry; nothing is assumed"
        raise DataError(msg, got="none" if value is None else "another value", mend=mend)
    if name == "PixelSpacing" and numbers.min() <= 0:
        msg = "the pixel spacing of a slice is positive"
        raise DataError(msg, got=numbers.tolist(), mend="export the series again")
    return numbers


def _directions(value: Any) -> FloatArray:
    directions = _numbers(value, "ImageOrientationPatient", 6).reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    if np.abs(lengths - 1).max() > 0.01:
        msg = "directions in ImageOrientationPatient have the length 1"
        raise DataError(msg, got=lengths.tolist(), mend="export the series again")
    return np.asarray(directions / lengths[:, None])


def _number(header: Any) -> int | None:
    """Where the slice comes in its series, if that is said."""
    try:
        return int(header.get("InstanceNumber"))
    except (TypeError, ValueError):
        return None


def _time_s(header: Any) -> float | None:
    """When the slice was acquired, by either attribute that says so."""
    time = header.get("AcquisitionTime")
    if time in (None, "") and (whole := str(header.get("AcquisitionDateTime") or "")):
        time = whole[_DATE_CHARACTERS:]
    return _seconds(time)


def _seconds(time: Any) -> float | None:
    """Seconds of the day of a DICOM time, HHMMSS.ffffff."""
    text = "" if time is None else str(time).strip()
    try:
        return int(text[:2]) * 3600.0 + int(text[2:4] or 0) * 60.0 + float(text[4:] or 0)
    except ValueError:
        return None
