"""Volumes: files to arrays on their grid and back, and what bad bytes get."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.errors import DataError, MissingFileError, UnreadableFileError, UnsafeInputError
from lungreg.formats.volumes import (
    Stored,
    Volume,
    check_scan,
    decode_mask,
    decode_scan,
    encode_labels,
    encode_volume,
    hu_offset,
    read_volume,
)
from lungreg.spatial.geometry import Grid, flip_lps
from tests.formats.volumes.dicom import write_dicom
from tests.grids import to_sitk

SHAPE = (7, 6, 5)
STORED = Stored(dtype="int16")


def oblique(shape: tuple[int, int, int] = SHAPE) -> Grid:
    """An anisotropic grid turned about all three axes, away from the origin."""
    a, b, c = 0.3, -0.2, 0.5
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = x @ y @ z @ np.diag([0.8, 1.3, 2.5])
    affine[:3, 3] = (-120.0, 35.0, 410.0)
    return Grid(shape=shape, affine=affine)


def values(shape: tuple[int, ...] = SHAPE) -> NDArray[np.int16]:
    """Different whole numbers in every voxel."""
    return (np.arange(np.prod(shape), dtype=np.int16) - 1000).reshape(shape)


def nifti(data: NDArray, **fields: object) -> bytes:
    """Plain NIfTI-1 bytes made by nibabel, with header fields set afterwards."""
    raw = bytearray(nib.Nifti1Image(data, np.diag([2.0, 3.0, 4.0, 1.0])).to_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for key, value in fields.items():
        header[key] = value
    raw[:348] = header.binaryblock
    return bytes(raw)


def test_scan_round_trip_keeps_values_grid_and_type() -> None:
    """Writing what was read gives the same values, grid and stored type."""
    grid = oblique()
    back = decode_scan(encode_volume(values(), grid, STORED))
    np.testing.assert_array_equal(back.data, values())
    assert back.data.dtype == np.float32
    assert back.stored == STORED
    assert back.grid.same_as(grid, tolerance_mm=1e-4)


def test_second_round_trip_keeps_the_grid_exactly() -> None:
    """An affine read from a file is written back bit by bit."""
    once = decode_scan(encode_volume(values(), oblique(), STORED))
    twice = decode_scan(encode_volume(once.data, once.grid, once.stored))
    np.testing.assert_array_equal(once.grid.affine, twice.grid.affine)


def test_encoded_bytes_are_reproducible_and_hold_no_free_text() -> None:
    """The same values give the same bytes; sform and qform agree; units are mm."""
    data = encode_volume(values(), oblique(), STORED)
    assert data == encode_volume(values(), oblique(), STORED)
    header = nib.Nifti1Header(gzip.decompress(data)[:348])
    assert header.get_xyzt_units()[0] == "mm"
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert not any(bytes(header[key].tobytes()).strip(b"\0") for key in ("descrip", "db_name"))
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)


def test_shear_has_no_qform() -> None:
    """A qform cannot hold shear, so only the sform is written."""
    affine = np.eye(4)
    affine[0, 1] = 0.3
    grid = Grid(shape=SHAPE, affine=affine)
    data = encode_volume(values(), grid, STORED)
    assert int(nib.Nifti1Header(gzip.decompress(data)[:348])["qform_code"]) == 0
    assert decode_scan(data).grid.same_as(grid)


def test_a_long_axis_is_written_as_nifti_2() -> None:
    """NIfTI-1 holds sizes up to 32767."""
    grid = Grid(shape=(40000, 2, 2), affine=np.eye(4))
    data = encode_volume(np.ones(grid.shape), grid, Stored(dtype="uint8"))
    assert isinstance(nib.Nifti2Image.from_bytes(gzip.decompress(data)), nib.Nifti2Image)
    assert decode_scan(data).grid.shape == grid.shape


def test_slope_and_intercept_are_applied_and_undone() -> None:
    """Real values are slope * stored + intercept, both ways, rounded and clipped."""
    stored = Stored(dtype="uint8", slope=2.0, intercept=-100.0)
    real = np.linspace(-300, 600, 8, dtype=np.float32).reshape(2, 2, 2)
    grid = oblique((2, 2, 2))
    data = encode_volume(real, grid, stored)
    back = decode_scan(data)
    assert back.stored == stored
    np.testing.assert_allclose(back.data, np.clip(real, -100, 410), atol=1.0)
    seen = nib.Nifti1Image.from_bytes(gzip.decompress(data)).get_fdata()
    np.testing.assert_allclose(back.data, seen)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_values_beyond_a_type_are_clipped(dtype: str) -> None:
    """Clipping never wraps round, whatever the type."""
    grid = oblique((2, 2, 2))
    real = np.full(grid.shape, 1e30)
    real[0] = -1e30
    data = encode_volume(real, grid, Stored(dtype=dtype))
    raw = np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(data)).dataobj)
    assert float(raw[1, 0, 0]) == pytest.approx(float(np.iinfo(dtype).max))
    assert float(raw[0, 0, 0]) == pytest.approx(float(np.iinfo(dtype).min))


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
    volume = decode_scan(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(volume.data, values())
    np.testing.assert_allclose(volume.grid.affine, kind.from_bytes(data).affine, atol=1e-9)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (0, 1), (1, 0), (0, 0)])
def test_the_affine_is_chosen_as_nibabel_does(sform: int, qform: int) -> None:
    """Sform where its code is set, else qform, else spacing alone."""
    image = nib.Nifti1Image(values(), oblique().affine)
    image.set_sform(oblique().affine * 1.5, code=sform)
    image.set_qform(oblique().affine, code=qform)
    data = image.to_bytes()
    expected = nib.Nifti1Image.from_bytes(data).affine
    np.testing.assert_allclose(decode_scan(data).grid.affine, expected)


@pytest.mark.parametrize("name", ["scan.mha", "scan.mhd", "scan.nrrd", "scan.nhdr"])
def test_other_formats_lie_where_simpleitk_says(tmp_path: Path, name: str) -> None:
    """A voxel of an oblique MetaImage or NRRD keeps its value and its place in the world."""
    image = to_sitk(values(), oblique())
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.data, values())
    assert volume.stored == STORED
    index = (4, 1, 3)
    point = flip_lps(np.array([image.TransformIndexToPhysicalPoint(index)]))
    np.testing.assert_allclose(volume.grid.to_world(np.array([index])), point, atol=1e-6)


def test_mask_of_another_format_keeps_labels(tmp_path: Path) -> None:
    """Labels come back as integers from MetaImage too."""
    labels = (values() % 3).astype(np.uint8)
    sitk.WriteImage(to_sitk(labels, oblique()), str(tmp_path / "m.mha"))
    volume = read_volume(tmp_path / "m.mha", mask=True)
    assert volume.data.dtype == np.uint8
    np.testing.assert_array_equal(volume.data, labels)


def test_dicom_series_is_read_in_order_of_position(tmp_path: Path) -> None:
    """File names in reverse order do not matter: slices lie where their positions say."""
    write_dicom(tmp_path / "series", oblique(), values())
    volume = read_volume(tmp_path / "series")
    order = 1 if volume.grid.same_as(oblique(), tolerance_mm=1e-3) else -1
    np.testing.assert_array_equal(volume.data[:, :, ::order], values())
    first = volume.grid.to_world(np.array([[0, 0, 0]]))
    expected = oblique().to_world(np.array([[0, 0, 0 if order == 1 else SHAPE[2] - 1]]))
    np.testing.assert_allclose(first, expected, atol=1e-3)
    assert volume.stored.dtype == "int16"


def test_two_series_in_one_folder_are_refused(tmp_path: Path) -> None:
    """The count is told and what to do about it."""
    for series in ("1.2.3", "1.2.4"):
        write_dicom(tmp_path, oblique(), values(), series=series)
    with pytest.raises(DataError, match="one DICOM series, got 2; put each series in a folder"):
        read_volume(tmp_path)


def test_a_missing_slice_is_refused(tmp_path: Path) -> None:
    """Unevenly spaced slices would be stretched silently."""
    write_dicom(tmp_path, oblique(), values())[2].unlink()
    with pytest.raises(DataError, match="evenly spaced"):
        read_volume(tmp_path)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    """Slices that are shifted sideways do not fill a box."""
    straight = oblique()
    for k in range(SHAPE[2]):
        affine = straight.affine.copy()
        affine[:3, 3] += 0.4 * k * straight.directions[:, 1] + k * straight.affine[:3, 2]
        piece = Grid(shape=(SHAPE[0], SHAPE[1], 1), affine=affine)
        path = write_dicom(tmp_path / str(k), piece, values()[:, :, k : k + 1])[0]
        image = sitk.ReadImage(str(path))
        image.SetMetaData("0008|0018", f"1.2.3.{k + 1}")
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(tmp_path / f"{k}.dcm"))
        writer.Execute(image)
        path.unlink()
    with pytest.raises(DataError, match="right angles"):
        read_volume(tmp_path)


def test_a_folder_without_dicom_is_unreadable(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A folder in the place of a scan is not a traceback, and ITK adds no words of its own."""
    with pytest.raises(UnreadableFileError, match="one DICOM series, got none"):
        read_volume(tmp_path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "scan.mha"])
def test_a_folder_of_a_file_name_is_unreadable(tmp_path: Path, name: str) -> None:
    """A folder named like a file is refused, whatever the format."""
    (tmp_path / name).mkdir()
    with pytest.raises(UnreadableFileError):
        read_volume(tmp_path / name)


def test_a_missing_file_says_so_and_names_itself_only_to_people(tmp_path: Path) -> None:
    """The path is in the text for the console and not in the one for logs."""
    path = tmp_path / "patient_mueller.nii.gz"
    with pytest.raises(MissingFileError, match="patient_mueller") as caught:
        read_volume(path)
    assert "mueller" not in caught.value.anonymous


def test_an_unknown_suffix_lists_the_readable_ones(tmp_path: Path) -> None:
    """The mend is to convert."""
    (tmp_path / "scan.jpg").write_bytes(b"jpeg")
    with pytest.raises(UnreadableFileError, match=r"\.nrrd.*got \.jpg; convert"):
        read_volume(tmp_path / "scan.jpg")


@pytest.mark.parametrize("name", ["scan.mha", "scan.nrrd", "scan.mhd"])
@pytest.mark.parametrize("content", [b"", b"not an image", b"NDims = 3\nDimSize = 4 4 4\n"])
def test_a_damaged_other_format_is_unreadable(tmp_path: Path, name: str, content: bytes) -> None:
    """Exceptions of SimpleITK do not escape."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFileError):
        read_volume(tmp_path / name)


def test_a_header_may_not_name_data_elsewhere(tmp_path: Path) -> None:
    """A MetaImage from an archive cannot take in another file of this machine."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(tmp_path / "scan.mhd"))
    text = (tmp_path / "scan.mhd").read_text()
    (tmp_path / "deep").mkdir()
    moved = tmp_path / "deep" / "scan.mhd"
    moved.write_text(text.replace("scan.raw", "../scan.raw"))
    with pytest.raises(UnsafeInputError, match="own folder"):
        read_volume(moved)


def test_other_formats_obey_the_cap(tmp_path: Path) -> None:
    """A header that declares too much is refused before anything is unpacked."""
    sitk.WriteImage(to_sitk(values(), oblique()), str(tmp_path / "scan.mha"))
    with pytest.raises(UnsafeInputError, match="at most 100 voxels"):
        read_volume(tmp_path / "scan.mha", max_voxels=100)


def test_a_single_slice_of_another_format_is_refused(tmp_path: Path) -> None:
    """Two dimensions are not three."""
    sitk.WriteImage(to_sitk(values(), oblique())[:, :, 0], str(tmp_path / "scan.mha"))
    with pytest.raises(DataError, match="three dimensions"):
        read_volume(tmp_path / "scan.mha")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_truncated_gzip_is_unreadable(share: float) -> None:
    """Wherever a compressed file is cut off, it is refused."""
    data = encode_volume(values((30, 30, 30)), oblique((30, 30, 30)), STORED)
    with pytest.raises(UnreadableFileError):
        decode_scan(data[: int(len(data) * share)])


def test_missing_end_of_gzip_is_unreadable() -> None:
    """Even the last byte, which holds no voxel, must be there."""
    data = encode_volume(values(), oblique(), STORED)
    with pytest.raises(UnreadableFileError, match="must unpack to its end"):
        decode_scan(data[:-1])


def test_damaged_gzip_is_unreadable() -> None:
    """Changed bytes are found by the checksum, not passed on as voxels."""
    data = bytearray(encode_volume(values((30, 30, 30)), oblique((30, 30, 30)), STORED))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UnreadableFileError):
        decode_scan(bytes(data))


def test_short_data_are_unreadable() -> None:
    """An uncompressed file that was cut off is refused."""
    with pytest.raises(UnreadableFileError, match="holds all the data"):
        decode_scan(nifti(values())[:-1])


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"not a nifti" * 100, gzip.compress(b"not a nifti"), b"\x1f\x8b", bytes(348)],
)
def test_other_bytes_are_no_nifti(data: bytes) -> None:
    """Whatever is not NIfTI is refused in our own words."""
    with pytest.raises(UnreadableFileError):
        decode_scan(data)


@pytest.mark.parametrize("seed", range(30))
def test_random_headers_never_escape_as_foreign_errors(seed: int) -> None:
    """A header of random bytes gives a volume or an error of ours."""
    rng = np.random.default_rng(seed)
    raw = bytearray(nifti(values()))
    where = rng.integers(4, 344, size=40)
    raw[: where.size] = raw[: where.size]
    for at in where:
        raw[at] = int(rng.integers(256))
    try:
        volume = decode_scan(bytes(raw), max_voxels=10_000)
    except DataError:
        return
    assert isinstance(volume, Volume)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (values((4, 4)), "three dimensions, got 2"),
        (values((4, 4, 1)), "at least 2 voxels"),
        (values((4, 4, 4, 3)), "three dimensions, got 4"),
        (values((4, 4, 4, 1, 3)), "three dimensions, got 5"),
        (np.ones((4, 4, 4), dtype=np.complex64), "complex"),
        (np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]), "RGB"),
    ],
    ids=["2-D", "slice", "4-D", "5-D", "complex", "rgb"],
)
def test_what_is_no_volume_is_refused(data: NDArray, match: str) -> None:
    """Each kind of non-volume is told by name."""
    raw = nifti(data)
    with pytest.raises(DataError, match=match):
        decode_scan(raw)


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, np.inf])
def test_bad_spacing_is_refused(spacing: float) -> None:
    """Zero, negative and infinite spacings are told, not repaired."""
    pixdim = [1.0, spacing, 1.0, 1.0, 0, 0, 0, 0]
    with pytest.raises(DataError, match="spacing in a header is positive"):
        decode_scan(nifti(values(), pixdim=pixdim))


def test_singular_and_infinite_affines_are_refused() -> None:
    """An affine that cannot be inverted places no voxel."""
    with pytest.raises(DataError, match="invertible"):
        decode_scan(nifti(values(), srow_x=[0.0, 0, 0, 0]))
    with pytest.raises(DataError, match="finite 4 x 4"):
        decode_scan(nifti(values(), srow_x=[np.nan, 0, 0, 0]))


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
        decode_scan(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_declared_size_that_cannot_be_there_is_refused_early() -> None:
    """Below the cap too, memory is not taken for data that so few bytes cannot hold."""
    raw = nifti(values(), dim=[3, 900, 900, 900, 1, 1, 1, 1])
    tracemalloc.start()
    with pytest.raises(UnreadableFileError, match="holds all the data"):
        decode_scan(gzip.compress(raw))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_what_follows_the_declared_data_is_not_unpacked() -> None:
    """A small volume with gigabytes behind it is refused after the first of them."""
    bomb = gzip.compress(nifti(values()) + bytes(60_000_000), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(UnsafeInputError, match="no more data than its header"):
        decode_scan(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_far_data_offset_is_refused() -> None:
    """An offset of gigabytes would have them unpacked to be skipped."""
    with pytest.raises(UnsafeInputError, match="begin after its header"):
        decode_scan(nifti(values(), vox_offset=4e9))


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [([0, 1, 2], "uint8"), ([0, 10, 20], "uint8"), ([0, 300, 5], "int16")],
)
@pytest.mark.parametrize("stored", ["int16", "int32", "float32", "float64"])
def test_mask_labels_are_kept(labels: list[int], dtype: str, stored: str) -> None:
    """Labels keep their numbers in the smallest type."""
    data = np.array(labels * 9, dtype=stored).reshape(3, 3, 3)
    mask = decode_mask(nifti(data)).data
    assert mask.dtype == dtype
    np.testing.assert_array_equal(mask, data)


def test_mask_with_a_scale_is_read_as_labels() -> None:
    """A mask stored as 0 and 255 with a slope of 1/255 holds 0 and 1."""
    data = np.array([0, 255] * 4, dtype=np.uint8).reshape(2, 2, 2)
    mask = decode_mask(nifti(data, scl_slope=1 / 255, scl_inter=0)).data
    np.testing.assert_array_equal(mask, data // 255)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (0.5, "whole numbers"),
        (np.nan, "finite"),
        (1e6, "at most 32767"),
        (-1.0, "not negative, got -1"),
    ],
)
def test_what_is_no_label_is_refused(value: float, match: str) -> None:
    """Probabilities, NaN, huge and negative numbers are no labels."""
    data = np.zeros((3, 3, 3), dtype=np.float32)
    data[1, 1, 1] = value
    with pytest.raises(DataError, match=match):
        decode_mask(nifti(data))


def test_labels_round_trip() -> None:
    """Labels are written in the smallest type, booleans as 0 and 1."""
    labels = (values() % 4).astype(np.int64) * 100
    np.testing.assert_array_equal(decode_mask(encode_labels(labels, oblique())).data, labels)
    truth = values() % 2 == 0
    np.testing.assert_array_equal(decode_mask(encode_labels(truth, oblique())).data, truth)


@pytest.mark.parametrize(
    ("value", "match"), [(np.nan, "finite"), (np.inf, "finite"), (None, "not constant, got 5")]
)
def test_check_scan_refuses_what_shows_nothing(value: float | None, match: str) -> None:
    """NaN, infinity and one value everywhere."""
    data = np.full(SHAPE, 5.0, dtype=np.float32)
    if value is not None:
        data[0, 0, :2] = (1.0, value)
    with pytest.raises(DataError, match=match):
        check_scan(Volume(data=data, grid=oblique(), stored=STORED))


def test_nan_is_not_written_as_a_number() -> None:
    """An integer type has no place for NaN."""
    real = np.full(SHAPE, np.nan)
    with pytest.raises(DataError, match="finite"):
        encode_volume(real, oblique(), STORED)


def thorax(*, noise: float = 15.0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A body with two lungs and a spine in air, in HU, with the lungs' mask."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in (48, 40, 32)], indexing="ij")
    body = (x / 0.85) ** 2 + (y / 0.75) ** 2 < 1
    lungs = ((np.abs(x) - 0.38) / 0.27) ** 2 + (y / 0.45) ** 2 + (z / 0.9) ** 2 < 1
    scan = np.where(lungs, -780.0, np.where(body, 40.0, -1000.0))
    scan[(x**2 + (y - 0.6) ** 2) < 0.01] = 700.0
    scan += np.random.default_rng(0).normal(0, noise, scan.shape)
    return scan.astype(np.float32), lungs


@pytest.mark.parametrize("offset", [0.0, 1000.0, 1024.0])
@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("padding", [None, -1024.0, -2000.0, -3024.0])
def test_offset_of_a_thorax_is_found(offset: float, with_mask: bool, padding: float | None) -> None:
    """With and without a mask, with padding outside the field of view and without."""
    scan, lungs = thorax()
    scan += np.float32(offset)
    if padding is not None:
        scan[:3] = scan[-3:] = padding
    verdict = hu_offset(scan, lungs if with_mask else None)
    assert (verdict.offset, verdict.plausible) == (offset, True)


@pytest.mark.parametrize("noise", [5.0, 15.0, 40.0])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_offset_is_found_where_values_were_clipped_at_air(offset: float, noise: float) -> None:
    """Files that hold no value below air are as common."""
    scan, lungs = thorax(noise=noise)
    clipped = np.maximum(scan, -1000) + np.float32(offset)
    assert hu_offset(clipped).offset == offset
    assert hu_offset(clipped, lungs).offset == offset


@pytest.mark.parametrize("with_mask", [True, False])
@pytest.mark.parametrize("scale", [1 / 1000, 255 / 1500])
def test_what_is_no_ct_is_implausible(scale: float, with_mask: bool) -> None:
    """A scan carried to 0..1 or to 8 bits is not in Hounsfield units."""
    scan, lungs = thorax()
    assert not hu_offset((scan + 1000) * scale, lungs if with_mask else None).plausible


def test_a_mask_of_tissue_makes_a_scan_implausible() -> None:
    """A mask that marks the body instead of the lungs is not taken for an offset."""
    scan, lungs = thorax()
    verdict = hu_offset(scan, ~lungs & (scan > -200))
    assert (verdict.offset, verdict.plausible) == (0.0, False)


def test_a_mask_of_another_shape_tells_nothing() -> None:
    """The mask of another scan is refused."""
    scan, lungs = thorax()
    with pytest.raises(DataError, match="a mask of this scan has shape"):
        hu_offset(scan, lungs[:-1])


@pytest.mark.real
@pytest.mark.parametrize("name", ["cip_ct64/{}.nii.gz", "lung_fcp/{}_1p5mm.nii.gz"])
@pytest.mark.parametrize("offset", [0.0, 1000.0, 1024.0])
def test_offset_of_real_scans_is_found(real_data: Path, name: str, offset: float) -> None:
    """Real air, real padding, with and without the mask."""
    scan = read_volume(real_data / name.format("ct"))
    lungs = read_volume(real_data / name.format("lung_mask"), mask=True)
    check_scan(scan)
    for mask in (None, lungs.data):
        verdict = hu_offset(scan.data + offset, mask)
        assert (verdict.offset, verdict.plausible) == (offset, True)
