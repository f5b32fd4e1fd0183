"""Read a folder with one DICOM series as a volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.memory_order import c_ordered
from lungreg.formats.placement import Remark
from lungreg.formats.volumes.codec import check_depth, to_labels
from lungreg.formats.volumes.dicom.frames import Frame, read_frames, read_header
from lungreg.formats.volumes.dicom.stack import stack_frames
from lungreg.formats.volumes.hounsfield import hu_offset
from lungreg.formats.volumes.volume import Stored, Volume
from lungreg.spatial.geometry import Grid, Shape

_ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
_DICOMDIR = "1.2.840.10008.1.3.10"
"""Class of the table of contents of a disc."""
_INVERSION = "the series is to be shown with its lowest values white (MONOCHROME1): "


def read_series(folder: Path, *, mask: bool, max_voxels: int) -> Volume:
    """Read a folder that holds the files of one DICOM series, of one frame or of many.

    Args:
        folder: Other files in it are passed over.
        mask: Read labels instead of real values.
        max_voxels: Most voxels that are unpacked.

    Raises:
        UnreadableFileError: No DICOM series, or a damaged one.
        UnsafeInputError: More voxels than allowed.
        DataError: Several series, a part of one in a folder below, no geometry, or slices that make
            no volume; see `stack_frames`.
    """
    found = stack_frames([frame for file in _series_files(folder) for frame in read_frames(file)])
    rows, columns = found.frames[0].size
    shape = (columns, rows, len(found.frames))
    check_depth(shape)
    if int(np.prod(shape, dtype=object)) > max_voxels:
        msg = f"a volume has at most {max_voxels} voxels"
        mend = "if the file is to be trusted, raise ingest.max_voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, shape)), mend=mend)
    values, odd = _values(found.frames, shape)
    return Volume(
        data=to_labels(values) if mask else values,
        grid=Grid(shape=shape, affine=found.placement.affine),
        stored=Stored(dtype="int16"),
        remarks=(*found.placement.remarks, *odd),
    )


def _series_files(folder: Path) -> list[Path]:
    series = _scan_folder(folder)
    if not series:
        msg = "a folder given as a scan holds one DICOM series"
        mend = "name the folder that holds its files themselves, not one above"
        raise UnreadableFileError(msg, got="none", mend=mend, where=folder)
    if len(series) > 1:
        msg = "a folder given as a scan holds one DICOM series"
        raise DataError(msg, got=len(series), mend="put each series in a folder of its own")
    ((name, files),) = series.items()
    _require_all(folder, files, name)
    return files


def _scan_folder(folder: Path) -> dict[str, list[Path]]:
    """The files of each series in a folder, by the series.

    Raises:
        UnreadableFileError: GDCM stumbles over a file.
        DataError: So does the reader of headers, which says why.
    """
    reader = sitk.ImageSeriesReader
    try:
        with _silence():
            return {
                series: [Path(name) for name in reader.GetGDCMSeriesFileNames(str(folder), series)]
                for series in reader.GetGDCMSeriesIDs(str(folder))
            }
    except RuntimeError as error:
        for file in sorted(folder.iterdir()):
            if file.is_file() and is_dicom(file):
                read_frames(file)
        msg = "the headers of a DICOM series are written as the standard says"
        got = "one that SimpleITK stumbles over"
        mend = "export the series again, or convert it with dcm2niix"
        raise UnreadableFileError(msg, got=got, mend=mend, where=folder) from error


def _require_all(folder: Path, files: Sequence[Path], series: str) -> None:
    """Refuse files of the series that GDCM has left out without a word.

    Those in the folder are damaged; it does not look into folders below.
    """
    known, ends = set(files), {file.suffix for file in files} - {""}
    for file in folder.rglob("*"):
        if file in known or not file.is_file() or not _may_belong(file, folder, ends, series):
            continue
        if file.parent != folder:
            msg = "the files of a DICOM series lie in one folder"
            got = "more of them in a folder below"
            raise DataError(msg, got=got, mend="put them together", where=file)
        msg = "a DICOM file must be complete"
        got = "one that SimpleITK cannot read"
        raise UnreadableFileError(msg, got=got, mend="copy it again", where=file)


def _may_belong(file: Path, folder: Path, ends: set[str], series: str) -> bool:
    """Whether a file is of a series by what it says or, where it says nothing, by its name."""
    if not is_dicom(file):
        return file.parent == folder and file.suffix in ends
    header = read_header(file)
    if "SeriesInstanceUID" in header:
        return str(header.SeriesInstanceUID).strip() == series
    is_directory = header.file_meta.get("MediaStorageSOPClassUID") == _DICOMDIR
    return file.parent == folder and not is_directory


def is_dicom(file: Path) -> bool:
    """Whether a file begins as those of DICOM do.

    Raises:
        UnreadableFileError: It cannot be opened.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError as error:
        msg = "the files of a series can be read"
        raise UnreadableFileError(msg, got=error.strerror, where=file) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep ITK from writing warnings with paths to standard error: errors are raised here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _values(
    frames: Sequence[Frame], shape: Shape
) -> tuple[NDArray[np.float32], tuple[Remark, ...]]:
    """(X, Y, Z) rescaled values of the frames in order, and what is odd about them."""
    values = np.empty(shape[::-1], dtype=np.float32)
    places = sorted(range(len(frames)), key=lambda k: str(frames[k].file))
    for file, places_of_file in groupby(places, key=lambda k: frames[k].file):
        ours = list(places_of_file)
        slices = _read_slices([frames[k] for k in ours])
        if slices.shape != (frames[ours[0]].frames, shape[1], shape[0]):
            msg = "a DICOM file holds the frames that its header declares"
            raise UnreadableFileError(msg, got=slices.shape, mend="copy it again", where=file)
        for k in ours:
            values[k] = slices[frames[k].index]
    upright = c_ordered(values.transpose())
    if not any(frame.inverted for frame in frames):
        return upright, ()
    return _read_as_hounsfield(upright, frames)


def _read_slices(frames: Sequence[Frame]) -> NDArray[np.float32]:
    """(F, Y, X) rescaled values of a file, of which these frames are wanted."""
    first = frames[0]
    if not _is_scaled_by_itk(frames):
        slices = _stored_numbers(first)
        for frame in frames:
            slope, intercept = frame.scale
            slices[frame.index] = slices[frame.index] * slope + intercept
        return slices
    with _silence():
        try:
            image = sitk.ReadImage(str(first.file), sitk.sitkFloat32)
        except RuntimeError as error:
            msg = "a DICOM file must be complete and of a known compression"
            got = "one that SimpleITK cannot read"
            raise UnreadableFileError(msg, got=got, mend="copy it again") from error
    found = sitk.GetArrayFromImage(image)
    return np.asarray(found if found.ndim == 3 else found[None])


def _is_scaled_by_itk(frames: Sequence[Frame]) -> bool:
    """Whether SimpleITK applies the scale of a file rightly.

    It turns MONOCHROME1 upside down before it does, knows one scale for all frames, and of files
    of many frames that of enhanced CT alone.
    """
    first = frames[0]
    one_scale = len({frame.scale for frame in frames}) == 1
    known = first.frames == 1 or first.sop_class == _ENHANCED_CT
    return known and one_scale and not first.inverted


def _stored_numbers(frame: Frame) -> NDArray[np.float32]:
    """(F, Y, X) the stored numbers of a file, without what is in bits above those stored."""
    header = read_header(frame.file, pixels=True)
    try:
        numbers = np.asarray(header.pixel_array)
    except Exception as error:  # pydicom raises many kinds for a damaged or compressed file
        msg = "the pixels of a multi-frame or MONOCHROME1 file are stored uncompressed, or in RLE"
        mend = "decompress it first (gdcmconv --raw)"
        raise UnreadableFileError(msg, got=type(error).__name__, mend=mend) from error
    bits, signed = frame.bits
    unused = numbers.dtype.itemsize * 8 - bits
    kept = numbers.astype(f"{'i' if signed else 'u'}{numbers.dtype.itemsize}")
    kept = (kept << unused) >> unused if unused > 0 else kept
    return np.asarray(kept if kept.ndim == 3 else kept[None], dtype=np.float32)


def _read_as_hounsfield(
    values: NDArray[np.float32], frames: Sequence[Frame]
) -> tuple[NDArray[np.float32], tuple[Remark, ...]]:
    """The values of a MONOCHROME1 series as they are, or upside down, whichever shows a chest.

    The attribute concerns display alone, so that values in Hounsfield units stay so; yet some tools
    write it when they have turned the values themselves.

    Raises:
        DataError: Neither looks like a chest.
    """
    if hu_offset(values).plausible:
        text = f"{_INVERSION}its values are Hounsfield units and were taken as they are"
        return values, (Remark(code="monochrome1", text=text),)
    turned = values.copy()
    for k, frame in enumerate(frames):
        bits, signed = frame.bits
        slope, intercept = frame.scale
        ends = -1.0 if signed else 2.0**bits - 1
        turned[:, :, k] = slope * ends + 2 * intercept - values[:, :, k]
    if hu_offset(turned).plausible:
        text = f"{_INVERSION}its values are stored upside down and were turned"
        return turned, (Remark(code="monochrome1", text=text),)
    msg = "a MONOCHROME1 series holds a chest in Hounsfield units, upright or upside down"
    raise DataError(msg, got="neither", mend="export it as MONOCHROME2")
