"""Read a volume from a file of any known format, chosen by the end of its name.

A new format is one file beside this one, with a `VolumeReader`, and one line in `READERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from lungreg.errors import LungregError, MissingFileError, UnreadableFileError, UnsafeInputError
from lungreg.formats.nifti import MAX_VOXELS
from lungreg.formats.volumes.codec import decode_mask, decode_scan
from lungreg.formats.volumes.dicom.series import is_dicom, read_series
from lungreg.formats.volumes.itk import read_itk_file
from lungreg.formats.volumes.volume import Volume

_MAX_HEADER_BYTES = 2**27
_MAX_VALUE_BYTES = 8


class VolumeReader(Protocol):
    """Reads a file of one format."""

    def __call__(self, path: Path, *, mask: bool, max_voxels: int) -> Volume:
        """Read a scan, or a mask's labels.

        Args:
            path: A file that is there and not too large for `max_voxels`.
            mask: Read labels instead of real values.
            max_voxels: Most voxels that are unpacked.

        Raises:
            UnreadableFileError: Cut off or damaged.
            UnsafeInputError: More voxels than allowed.
            DataError: Contents that are no volume.
        """


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
    reader = next((READERS[suffix] for suffix in READERS if name.endswith(suffix)), None)
    # A folder named like a NIfTI file is refused, not searched for a DICOM series.
    if path.is_dir() and reader is not read_nifti_file:
        return read_series(path, mask=mask, max_voxels=max_voxels)
    if reader is not None or not path.exists():
        _check_file(path, max_voxels)
    if reader is None:
        msg = f"a volume is {', '.join(READERS)} or a folder of DICOM files"
        got = path.suffix or "no suffix"
        is_slice = path.is_file() and is_dicom(path)
        mend = "give the folder that holds the series" if is_slice else "convert it"
        raise UnreadableFileError(msg, got=got, mend=mend)
    return reader(path, mask=mask, max_voxels=max_voxels)


def read_nifti_file(path: Path, *, mask: bool, max_voxels: int) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file, plain or gzip; a `VolumeReader`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = "a file must be readable"
        raise UnreadableFileError(msg, got=error.strerror, mend="check permissions") from error
    return (decode_mask if mask else decode_scan)(data, max_voxels=max_voxels)


READERS: Mapping[str, VolumeReader] = MappingProxyType(
    {
        ".nii.gz": read_nifti_file,
        ".nii": read_nifti_file,
        ".mha": read_itk_file,
        ".mhd": read_itk_file,
        ".nrrd": read_itk_file,
        ".nhdr": read_itk_file,
    }
)
"""By the end of a file's name, in lower case. A folder is read as a DICOM series."""


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
