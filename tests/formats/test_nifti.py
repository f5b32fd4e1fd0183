"""NIfTI bytes: decoded as nibabel does, refused where bad, scrubbed of free text."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.nifti import decode_nifti, encode_nifti, scrub_nifti
from tests.formats.volumes.small_volumes import nifti, oblique, values


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("packed", [True, False])
def test_decoding_agrees_with_nibabel(byteorder: str, kind: type, packed: bool) -> None:
    """NIfTI-1 and -2, both byte orders, plain and gzip, trailing ones: what nibabel reads."""
    grid = oblique()
    header = kind.header_class(endianness=byteorder)
    header.set_data_dtype(np.int16)
    image = kind(values()[..., None, None], grid.affine, header=header)
    data = image.to_bytes()
    volume = decode_nifti(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(volume.raw, values())
    np.testing.assert_allclose(volume.affine, kind.from_bytes(data).affine, atol=1e-9)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (0, 1), (1, 0), (0, 0)])
def test_the_affine_is_chosen_as_nibabel_does(sform: int, qform: int) -> None:
    """Sform where its code is set, else qform, else spacing alone."""
    near = oblique().affine + 0.01 * np.eye(4, k=3)
    image = nib.Nifti1Image(values(), oblique().affine)
    image.set_sform(near, code=sform)
    image.set_qform(oblique().affine, code=qform)
    data = image.to_bytes()
    expected = nib.Nifti1Image.from_bytes(data).affine
    np.testing.assert_allclose(decode_nifti(data).affine, expected)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_truncated_gzip_is_unreadable(share: float) -> None:
    """Wherever a compressed file is cut off, it is refused."""
    data = encode_nifti(values((30, 30, 30)), oblique().affine)
    with pytest.raises(UnreadableFileError):
        decode_nifti(data[: int(len(data) * share)])


def test_missing_end_of_gzip_is_unreadable() -> None:
    """Even the last byte, which holds no voxel, must be there."""
    data = encode_nifti(values(), oblique().affine)
    with pytest.raises(UnreadableFileError, match="must unpack to its end"):
        decode_nifti(data[:-1])


def test_damaged_gzip_is_unreadable() -> None:
    """Changed bytes are found by the checksum, not passed on as voxels."""
    data = bytearray(encode_nifti(values((30, 30, 30)), oblique().affine))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UnreadableFileError):
        decode_nifti(bytes(data))


def test_short_data_are_unreadable() -> None:
    """An uncompressed file that was cut off is refused."""
    with pytest.raises(UnreadableFileError, match="holds all the data"):
        decode_nifti(nifti(values())[:-1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"not a nifti" * 100,
        gzip.compress(b"not a nifti", mtime=0),
        b"\x1f\x8b",
        bytes(348),
    ],
)
def test_other_bytes_are_no_nifti(data: bytes) -> None:
    """Whatever is not NIfTI is refused in our own words."""
    with pytest.raises(UnreadableFileError):
        decode_nifti(data)


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, np.inf])
def test_bad_spacing_is_refused(spacing: float) -> None:
    """Zero, negative and infinite spacings are refused, not repaired."""
    pixdim = [1.0, spacing, 1.0, 1.0, 0, 0, 0, 0]
    with pytest.raises(DataError, match="spacing in a header is positive"):
        decode_nifti(nifti(values(), pixdim=pixdim))


def test_a_bomb_is_refused_before_memory_is_taken() -> None:
    """A few kB that declare gigabytes are refused, and little is allocated."""
    header = nib.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_data_dtype(np.uint8)
    header["pixdim"] = 1
    header["vox_offset"] = 352
    bomb = gzip.compress(header.binaryblock + bytes(4_000_000))
    assert len(bomb) < 6000
    tracemalloc.start()
    with pytest.raises(UnsafeInputError, match="at most 1000000000 voxels, got 30000 x"):
        decode_nifti(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_declared_size_that_cannot_be_there_is_refused_early() -> None:
    """Below the cap too, memory is not taken for data that so few bytes cannot hold."""
    raw = nifti(values(), dim=[3, 900, 900, 900, 1, 1, 1, 1])
    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="holds all the data"):
        decode_nifti(gzip.compress(raw))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_what_follows_the_declared_data_is_not_unpacked() -> None:
    """A small volume with gigabytes behind it is refused after the first of them."""
    bomb = gzip.compress(nifti(values()) + bytes(60_000_000), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(UnsafeInputError, match="no more data than its header"):
        decode_nifti(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_far_data_offset_is_refused() -> None:
    """An offset of gigabytes would have them unpacked to be skipped."""
    with pytest.raises(UnsafeInputError, match="begin after its header"):
        decode_nifti(nifti(values(), vox_offset=4e9))


SECRET = b"MUSTERMANN"
TEXTS = ("descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str")
AFFINE = np.array([[-1.5, 0.2, 0, 30], [0.2, 1.5, 0, -20], [0, 0, 2.5, -7], [0, 0, 0, 1.0]])


def with_texts(kind: type[Any] = nib.Nifti1Image, *, big_endian: bool = False) -> bytes:
    """A file with the name of a patient in every text and in two extensions, not packed."""
    values = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
    header = kind.header_class(endianness=">" if big_endian else "<")
    header.set_data_dtype(np.int16)
    image = kind(values, AFFINE, header)
    for name in TEXTS:
        if name in image.header:
            image.header[name] = SECRET
    for code in ("comment", "dicom"):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, SECRET))
    image.header.set_slope_inter(2.0, -1024.0)
    data: bytes = image.to_bytes()
    assert data.count(SECRET) >= 5
    return data


def packed(data: bytes, *, name: str = "", mtime: int = 0) -> bytes:
    """A gzip member that keeps a file's name and date."""
    buffer = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=buffer, mtime=mtime) as file:
        file.write(data)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("big_endian", [False, True])
def test_texts_and_extensions_are_gone(kind: type[Any], big_endian: bool) -> None:
    """Values, grid, type, scale and byte order are the same; another reader agrees."""
    data = with_texts(kind, big_endian=big_endian)
    scrubbed = scrub_nifti(packed(data))
    assert SECRET not in gzip.decompress(scrubbed)
    before, after = decode_nifti(data), decode_nifti(scrubbed)
    np.testing.assert_array_equal(after.raw, before.raw)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert (after.raw.dtype, after.slope, after.intercept) == (np.int16, 2.0, -1024.0)
    image = kind.from_bytes(gzip.decompress(scrubbed))
    assert len(image.header.extensions) == 0
    assert (image.header.endianness == ">") == big_endian
    np.testing.assert_array_equal(image.get_fdata(), kind.from_bytes(data).get_fdata())
    assert image.header["xyzt_units"] == kind.from_bytes(data).header["xyzt_units"]


def clean() -> bytes:
    """What this library writes."""
    return encode_nifti(np.arange(120, dtype=np.int16).reshape(6, 5, 4), AFFINE)


@pytest.mark.parametrize(
    "hide",
    [
        lambda plain: plain[:14] + SECRET + plain[24:],
        lambda plain: packed(plain + SECRET),
        lambda plain: packed(plain, name=SECRET.decode()),
        lambda plain: packed(plain, mtime=1_700_000_000),
        lambda plain: packed(plain[:400]) + packed(plain[400:], name=SECRET.decode()),
    ],
    ids=["unpacked", "behind-the-values", "file-name", "date", "second-member"],
)
def test_hidden_places_are_cleared(hide: Any) -> None:
    """Wherever else a name may stand, it is gone, and the file is what it would be without it."""
    data = hide(gzip.decompress(clean()))
    np.testing.assert_array_equal(decode_nifti(data).raw, decode_nifti(clean()).raw)
    assert scrub_nifti(data)[:10] == clean()[:10]
    assert gzip.decompress(scrub_nifti(data)) == gzip.decompress(clean())


def test_a_file_without_text_is_the_very_same() -> None:
    """It is not packed anew, whoever packed it; scrubbing twice is scrubbing once."""
    ours = clean()
    assert scrub_nifti(ours) is ours
    theirs = packed(gzip.decompress(ours))
    assert scrub_nifti(theirs) is theirs
    once = scrub_nifti(packed(with_texts()))
    assert scrub_nifti(once) is once


def test_trailing_sizes_of_one_are_kept() -> None:
    """A header of five dimensions stays one."""
    data = encode_nifti(np.arange(120, dtype=np.int16).reshape(6, 5, 4, 1, 1), AFFINE)
    scrubbed = scrub_nifti(gzip.decompress(data))
    assert gzip.decompress(scrubbed) == gzip.decompress(data)
