"""Volumes from files of any readable format."""

from __future__ import annotations

from pathlib import Path

from lungreg.errors import LungregError, MissingFileError, UnreadableFileError, UnsafeInputError
from lungreg.formats.nifti import MAX_VOXELS
from lungreg.formats.volumes.codec import decode_mask, decode_scan
from lungreg.formats.volumes.itk import read_file, read_series
from lungreg.formats.volumes.volume import Volume

NIFTI_SUFFIXES = (".nii.gz", ".nii")
ITK_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")
_MAX_HEADER_BYTES = 2**27
_MAX_VALUE_BYTES = 8


def read_volume(path: Path, *, mask: bool = False, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scan or mask: NIfTI, MetaImage (.mha, .mhd), NRRD, or a folder with a DICOM series.

    Args:
        path: File, or folder of one DICOM series.
        mask: Read labels instead of real values.
        max_voxels: Most voxels that are unpacked.

    Raises:
        MissingFileError: Nothing there.
        UnreadableFileError: Not a file of a readable format, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Contents that are no volume; see `decode_scan` and `decode_mask`.
    """
    try:
        return _read(path, mask=mask, max_voxels=max_voxels)
    except LungregError as error:
        if error.where is None:
            error.where = path
        raise


def _read(path: Path, *, mask: bool, max_voxels: int) -> Volume:
    name = path.name.lower()
    if name.endswith(NIFTI_SUFFIXES):
        data = _bytes(path, max_voxels)
        return (decode_mask if mask else decode_scan)(data, max_voxels=max_voxels)
    if path.is_dir():
        return read_series(path, mask=mask, max_voxels=max_voxels)
    if name.endswith(ITK_SUFFIXES):
        _check_file(path, max_voxels)
        return read_file(path, mask=mask, max_voxels=max_voxels)
    if not path.exists():
        _check_file(path, max_voxels)
    msg = f"a volume is {', '.join(NIFTI_SUFFIXES + ITK_SUFFIXES)} or a folder of DICOM files"
    raise UnreadableFileError(msg, got=path.suffix or "no suffix", mend="convert it")


def _bytes(path: Path, max_voxels: int) -> bytes:
    _check_file(path, max_voxels)
    try:
        return path.read_bytes()
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, mend="check permissions") from error


def _check_file(path: Path, max_voxels: int) -> None:
    if not path.exists():
        msg = "the file must be there"
        raise MissingFileError(msg, got="nothing", mend="check its name")
    if not path.is_file():
        msg = "a scan or mask of this name is a file"
        raise UnreadableFileError(msg, got="a folder or device", mend="check its name")
    if path.stat().st_size > max_voxels * _MAX_VALUE_BYTES + _MAX_HEADER_BYTES:
        msg = f"a volume has at most {max_voxels} voxels"
        mend = "if the file is to be trusted, raise ingest.max_voxels"
        raise UnsafeInputError(msg, got="a larger file", mend=mend)
