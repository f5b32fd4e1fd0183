"""Decode and encode NIfTI bytes; the decoder is safe for untrusted files.

Nothing large is allocated before the header has been checked against a cap, and a compressed file
is unpacked only as far as its header says. Header fields are read and written with nibabel.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

import nibabel as nib
import numpy as np
from isal import igzip, igzip_lib, isal_zlib
from numpy.typing import NDArray

from lungreg.errors import UnreadableFileError, UnsafeInputError
from lungreg.formats.memory_order import fortran_ordered
from lungreg.formats.nifti_header import (
    NO_INTENT,
    Intent,
    read_dtype,
    read_intent,
    read_scale,
    read_shape,
)
from lungreg.formats.nifti_placement import nifti_placement
from lungreg.formats.placement import Remark, right_angled
from lungreg.spatial.geometry import FloatArray

GZIP_MAGIC = b"\x1f\x8b"
MAX_VOXELS = 1_000_000_000
_LEVEL = 3
_PIECE = 2**24
_MAX_OFFSET = 2**26
_MAX_TRAILING = 2**20
_MAX_DEFLATE_RATIO = 1032
_MAX_NIFTI1_SIZE = 32767
_HEADER_BYTES = {1: 348, 2: 540}
_FIXED_TEXTS = ("magic", "regular")
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_STREAM_ERRORS = (EOFError, OSError, zlib.error, _ISAL_ERROR)


@dataclass(frozen=True, kw_only=True, eq=False)
class NiftiArray:
    """What a NIfTI file stores, before its scale is applied."""

    raw: NDArray[Any]
    """(X, Y, Z), or (X, Y, Z, C) for vectors: stored values, native byte order."""
    affine: FloatArray
    """(4, 4) float64 from voxel index to RAS mm: sform, else qform, else spacing alone; axes at
    right angles."""
    slope: float
    """Real value = slope * stored + intercept."""
    intercept: float
    intent: Intent = NO_INTENT
    """What the values are said to mean."""
    remarks: tuple[Remark, ...] = ()
    """What was put right or is odd about the header."""


def decode_nifti(
    data: bytes, *, max_voxels: int = MAX_VOXELS, components: Literal[1, 3] = 1
) -> NiftiArray:
    """Read NIfTI-1 or NIfTI-2 bytes, plain or gzip.

    Args:
        data: The file's bytes; they may come from anyone.
        max_voxels: Most voxels that are unpacked.
        components: 1 for a volume, (X, Y, Z) with any trailing sizes of 1; 3 for a vector field,
            (X, Y, Z, 1, 3) or (X, Y, Z, 3).

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed, or more data than the header declares.
        DataError: Another number of dimensions, complex or colour values, a bad spacing or affine,
            shear, or two orientations that contradict each other.
    """
    stream = _open(data)
    try:
        return _decode(stream, len(data), max_voxels, components)
    except _STREAM_ERRORS as error:
        msg = "a compressed file must unpack to its end"
        raise UnreadableFileError(msg, got=_short(error), mend="copy the file again") from error


def encode_nifti(
    raw: NDArray[Any],
    affine: FloatArray,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    intent: int = 0,
) -> bytes:
    """Write stored values as NIfTI gzip bytes: the same values give the same bytes.

    NIfTI-1, or NIfTI-2 where a size is above 32767. No name, date or free text is written.

    Args:
        raw: Stored values, as many axes as the file shall have.
        affine: (4, 4) from voxel index to RAS mm, axes at right angles. It is written as sform
            and as qform.
        slope: Real value = slope * stored + intercept.
        intercept: See `slope`.
        intent: NIfTI intent code.

    Raises:
        DataError: A sheared affine, which ITK does not open.
    """
    affine = right_angled(affine, raw.shape).affine
    large = max(raw.shape) > _MAX_NIFTI1_SIZE
    header: Any = nib.Nifti2Header() if large else nib.Nifti1Header()
    header.set_data_dtype(raw.dtype)
    header.set_data_shape(raw.shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_xyzt_units("mm")
    header.set_slope_inter(slope, intercept)
    header["intent_code"] = intent
    header["vox_offset"] = _HEADER_BYTES[2 if large else 1] + 4
    values = fortran_ordered(raw).reshape(-1, order="F").view(np.uint8)
    return _packed(header.binaryblock + bytes(4), values)


def scrub_nifti(data: bytes) -> bytes:
    """Remove free text from a NIfTI file, as a scanner or a person may have written a name there.

    Removed are the header's texts, its extensions, all bytes before and after the values, and the
    file name and date of gzip. Values, grid, type and scale stay equal to the bit. A gzip file
    without any of these is returned unchanged.

    Args:
        data: Bytes that `decode_nifti` takes.
    """
    plain, is_nameless = _unpack(data)
    header, header_bytes = _read_header(io.BytesIO(plain))
    n_values = int(np.prod(header["dim"][1 : int(header["dim"][0]) + 1], dtype=object))
    start = _offset(header, header_bytes)
    end = start + n_values * read_dtype(header).itemsize
    for name, (kind, *_) in header.structarr.dtype.fields.items():
        if kind.kind == "S" and name not in _FIXED_TEXTS:
            header[name] = b""
    header["vox_offset"] = header_bytes + 4
    head = header.binaryblock + bytes(4)
    if is_nameless and plain[:start] == head and len(plain) == end:
        return data
    return _packed(head, np.frombuffer(plain, np.uint8, end - start, start))


def _packed(head: bytes, values: NDArray[np.uint8]) -> bytes:
    """One gzip member without name and date, packed bit by bit: a second copy is as large again."""
    packer = isal_zlib.compressobj(_LEVEL, wbits=isal_zlib.MAX_WBITS + 16)
    parts = (values[start : start + _PIECE] for start in range(0, len(values), _PIECE))
    return b"".join((*map(packer.compress, (head, *parts)), packer.flush()))


def _unpack(data: bytes) -> tuple[bytes, bool]:
    """The uncompressed bytes, and whether the file is one gzip member without name or date."""
    if data[:2] != GZIP_MAGIC:
        return data, False
    member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    plain: bytes = member.decompress(data)
    if member.unused_data:
        return _open(data).read(), False
    return plain, data[3:8] == bytes(5)


def _open(data: bytes) -> BinaryIO:
    if data[:2] == GZIP_MAGIC:
        opened: Any = igzip.IGzipFile
        return cast("BinaryIO", opened(fileobj=io.BytesIO(data)))
    return io.BytesIO(data)


def _decode(stream: BinaryIO, size: int, max_voxels: int, components: int) -> NiftiArray:
    header, header_bytes = _read_header(stream)
    shape = read_shape(header, components)
    dtype = read_dtype(header)
    if int(np.prod(shape[:3], dtype=object)) > max_voxels:
        msg = f"a volume has at most {max_voxels} voxels"
        mend = "if the file is to be trusted, raise ingest.max_voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, shape[:3])), mend=mend)
    placement = nifti_placement(header, (shape[0], shape[1], shape[2]))
    slope, intercept = read_scale(header)
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if n_bytes > size * _MAX_DEFLATE_RATIO:
        _refuse_short()
    _skip(stream, _offset(header, header_bytes) - header_bytes)
    values = np.empty(n_bytes // dtype.itemsize, dtype=dtype)
    _fill(stream, values)
    _check_end(stream)
    raw = values.astype(dtype.newbyteorder("="), copy=False).reshape(shape, order="F")
    return NiftiArray(
        raw=raw,
        affine=placement.affine,
        slope=slope,
        intercept=intercept,
        intent=read_intent(header),
        remarks=placement.remarks,
    )


def _read_header(stream: BinaryIO) -> tuple[Any, int]:
    block = _read(stream, _HEADER_BYTES[1])
    sizes = {int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")}
    if 348 in sizes and block[344:348] == b"n+1\0":
        return nib.Nifti1Header(block, check=False), 348
    if 540 in sizes and block[4:8] == b"n+2\0":
        block += _read(stream, _HEADER_BYTES[2] - len(block))
        if len(block) == 540:
            return nib.Nifti2Header(block, check=False), 540
    msg = "the file must be NIfTI-1 or NIfTI-2 in one file (.nii or .nii.gz)"
    raise UnreadableFileError(msg, got="something else", mend="convert or copy it again")


def _offset(header: Any, header_bytes: int) -> int:
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or offset > _MAX_OFFSET or 0 < offset < header_bytes:
        msg = f"the data of a file begin after its header and within {_MAX_OFFSET} bytes"
        raise UnsafeInputError(msg, got=offset)
    return max(int(offset), header_bytes)


def _read(stream: BinaryIO, n_bytes: int) -> bytes:
    parts = bytearray()
    while len(parts) < n_bytes:
        part = stream.read(n_bytes - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def _skip(stream: BinaryIO, n_bytes: int) -> None:
    if len(_read(stream, n_bytes)) < n_bytes:
        _refuse_short()


def _fill(stream: BinaryIO, values: NDArray[Any]) -> None:
    view = memoryview(values.view(np.uint8).data)
    filled = 0
    while filled < len(view):
        n_read = cast("io.BytesIO", stream).readinto(view[filled:])
        if not n_read:
            _refuse_short()
        filled += n_read


def _check_end(stream: BinaryIO) -> None:
    """Read to the end, which also compares the checksum of a compressed file."""
    if len(_read(stream, _MAX_TRAILING)) == _MAX_TRAILING:
        msg = "a file holds no more data than its header declares"
        raise UnsafeInputError(msg, got="at least 1 MB more", mend="write the file again")


def _refuse_short() -> None:
    msg = "a file holds all the data that its header declares"
    raise UnreadableFileError(msg, got="less", mend="copy the file again")


def _short(error: BaseException) -> str:
    return str(error) or type(error).__name__
