"""Scans and masks to NIfTI bytes and back, and bytes that hold neither."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError
from lungreg.formats.volumes import (
    Stored,
    Volume,
    check_scan,
    decode_mask,
    decode_scan,
    encode_labels,
    encode_volume,
)
from lungreg.spatial.geometry import Grid
from tests.formats.volumes.small_volumes import SHAPE, STORED, nifti, oblique, values


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


def test_shear_is_not_written() -> None:
    """ITK would not open the file."""
    affine = np.eye(4)
    affine[0, 1] = 0.3
    with pytest.raises(DataError, match="right angles"):
        encode_volume(values(), Grid(shape=SHAPE, affine=affine), STORED)


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


def test_nan_is_not_written_as_a_number() -> None:
    """An integer type has no place for NaN."""
    real = np.full(SHAPE, np.nan)
    with pytest.raises(DataError, match="finite"):
        encode_volume(real, oblique(), STORED)


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
    """Each kind of non-volume is named."""
    raw = nifti(data)
    with pytest.raises(DataError, match=match):
        decode_scan(raw)


def test_singular_and_infinite_affines_are_refused() -> None:
    """An affine that cannot be inverted places no voxel."""
    with pytest.raises(DataError, match="invertible"):
        decode_scan(nifti(values(), srow_x=[0.0, 0, 0, 0]))
    with pytest.raises(DataError, match="finite 4 x 4"):
        decode_scan(nifti(values(), srow_x=[np.nan, 0, 0, 0]))


@pytest.mark.parametrize(
    ("labels", "dtype"), [([0, 1, 2], "uint8"), ([0, 10, 20], "uint8"), ([0, 300, 5], "int16")]
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
