"""Free text in NIfTI files: gone after scrubbing, with every value where it was."""

from __future__ import annotations

import gzip
import io
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from lungreg.formats.nifti import decode_nifti, encode_nifti, scrub_nifti

SECRET = b"MUSTERMANN"
TEXTS = ("descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str")
AFFINE = np.array([[-1.5, 0.2, 0, 30], [0.2, 1.5, 0, -20], [0, 0, 2.5, -7], [0, 0, 0, 1.0]])


def told(kind: type[Any] = nib.Nifti1Image, *, big_endian: bool = False) -> bytes:
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
    data = told(kind, big_endian=big_endian)
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
    once = scrub_nifti(packed(told()))
    assert scrub_nifti(once) is once


def test_trailing_sizes_of_one_are_kept() -> None:
    """A header of five dimensions stays one."""
    data = encode_nifti(np.arange(120, dtype=np.int16).reshape(6, 5, 4, 1, 1), AFFINE)
    scrubbed = scrub_nifti(gzip.decompress(data))
    assert gzip.decompress(scrubbed) == gzip.decompress(data)
