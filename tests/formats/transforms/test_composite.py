"""ITK's transform files against SimpleITK itself, on oblique grids of different sizes and axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, LungregError, UnreadableFileError
from lungreg.formats.transforms import decode_composite, encode_composite
from lungreg.formats.transforms.rounding import STEP_MM, rounded
from lungreg.spatial.displacement import dense_displacement, resample, transform_points
from lungreg.spatial.geometry import Transform, affine_transform, flip_lps
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, breath, interior, scan
from tests.grids import affine_to_sitk, from_sitk, to_sitk

pytestmark = pytest.mark.usefixtures("one_thread")


def in_itk(data: bytes, folder: Path, name: str = "transform.h5") -> sitk.Transform:
    """A transform's file as SimpleITK reads it."""
    path = folder / name
    path.write_bytes(data)
    return sitk.ReadTransform(str(path))


def in_bytes(transform: sitk.Transform, folder: Path, name: str = "transform.h5") -> bytes:
    """A transform's file as SimpleITK writes it."""
    path = folder / name
    sitk.WriteTransform(transform, str(path))
    return path.read_bytes()


def field_transform(transform: Transform) -> sitk.Transform:
    return sitk.DisplacementFieldTransform(to_sitk(transform.displacement_mm, transform.grid))


def moved_by_itk(transform: sitk.Transform, points_ras: np.ndarray) -> np.ndarray:
    """(N, 3) RAS where ITK carries points."""
    lps = [transform.TransformPoint(point) for point in flip_lps(points_ras).tolist()]
    return flip_lps(np.array(lps))


def test_simpleitk_moves_points_as_we_do(tmp_path: Path) -> None:
    """To a thousandth of a mm, anywhere in the fixed scan's box."""
    transform = breath(down_mm=60)
    itk = in_itk(encode_composite(transform), tmp_path)
    points = interior(FIXED, 300, margin=-0.4)
    found = moved_by_itk(itk, points)
    assert np.abs(found - points).max() > 40
    np.testing.assert_allclose(found, transform_points(transform, points), atol=STEP_MM)


def test_simpleitk_resamples_as_we_do(tmp_path: Path) -> None:
    """Its image through the file and ours differ by less than 1 HU, up to the border."""
    transform, moving = breath(down_mm=30), scan()
    itk = in_itk(encode_composite(transform), tmp_path)
    expected = from_sitk(
        sitk.Resample(to_sitk(moving, MOVING), to_sitk(scan(FIXED), FIXED), itk, sitk.sitkLinear)
    )
    dense = dense_displacement(transform, FIXED)
    found = resample(moving, MOVING, FIXED, transform.affine, dense)
    inside = ~found.outside & (expected != 0)
    assert inside.mean() > 0.5
    assert np.abs(found.values - expected)[inside].max() < 1
    assert np.abs(found.values - scan(FIXED))[inside].max() > 100


def test_the_file_holds_the_affine_and_then_the_field(tmp_path: Path) -> None:
    """ITK applies the last one first."""
    itk = sitk.CompositeTransform(in_itk(encode_composite(breath()), tmp_path))
    names = [itk.GetNthTransform(n).GetName() for n in range(itk.GetNumberOfTransforms())]
    assert names == ["AffineTransform", "DisplacementFieldTransform"]


def test_a_field_is_whole_though_it_is_packed_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ITK reads every node, the last part not being full."""
    monkeypatch.setattr("lungreg.formats.transforms.composite._CHUNK", 1000)
    transform = breath(down_mm=30)
    assert transform.displacement_mm.size % 1000
    itk = sitk.CompositeTransform(in_itk(encode_composite(transform), tmp_path))
    field = sitk.DisplacementFieldTransform(itk.GetNthTransform(1)).GetDisplacementField()
    expected = to_sitk(rounded(transform.displacement_mm), transform.grid)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(field), sitk.GetArrayFromImage(expected))


def test_beyond_the_field_itk_keeps_the_affine_alone(tmp_path: Path) -> None:
    """As the JSON beside the file says; we continue the outermost displacement."""
    itk = in_itk(encode_composite(breath()), tmp_path)
    far = FIELD.to_world(np.array([[-5.0, 3.0, 3.0]]))
    expected = transform_points(affine_transform(affine()), far)
    np.testing.assert_allclose(moved_by_itk(itk, far), expected, atol=1e-6)
    assert np.abs(transform_points(breath(), far) - expected).max() > 1


def test_round_trip() -> None:
    """What is written comes back."""
    back = decode_composite(encode_composite(breath()))
    np.testing.assert_allclose(back.affine, affine(), atol=1e-9)
    np.testing.assert_allclose(back.displacement_mm, rounded(breath().displacement_mm), atol=1e-6)
    assert back.grid.same_as(FIELD)


def test_the_file_is_as_simpleitk_writes_it_but_smaller(tmp_path: Path) -> None:
    """The same transform to the last bit of float32, in less than half the bytes."""
    ours = encode_composite(breath(FIXED))
    again = in_bytes(in_itk(ours, tmp_path), tmp_path)
    assert len(ours) < len(again) / 2
    back, mine = decode_composite(again), decode_composite(ours)
    np.testing.assert_array_equal(back.displacement_mm, mine.displacement_mm)
    np.testing.assert_allclose(back.affine, mine.affine, atol=1e-12)
    np.testing.assert_allclose(back.grid.affine, mine.grid.affine, atol=1e-12)


def sheared() -> sitk.AffineTransform:
    matrix = affine()
    matrix[0, 1] += 0.2
    return affine_to_sitk(matrix)


OTHERS: dict[str, Callable[[], sitk.Transform]] = {
    "affine": sheared,
    "rigid": lambda: sitk.Euler3DTransform((10.0, 20.0, 300.0), 0.1, -0.2, 0.3, (5.0, 6.0, 7.0)),
    "translation": lambda: sitk.TranslationTransform(3, (1.0, -2.0, 3.0)),
    "field": lambda: field_transform(breath()),
    "affine last": lambda: sitk.CompositeTransform([sheared(), field_transform(breath())]),
    "affine first": lambda: sitk.CompositeTransform([field_transform(breath()), sheared()]),
    "affine around": lambda: sitk.CompositeTransform(
        [sheared(), sheared(), field_transform(breath()), sheared()]
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_transforms_of_other_tools(name: str, tmp_path: Path) -> None:
    """Affine maps, a field, and affine maps around a field carry points as they do in ITK."""
    itk = OTHERS[name]()
    found = decode_composite(in_bytes(itk, tmp_path))
    back = sheared().GetInverse()
    points = (
        moved_by_itk(back, interior(FIELD, 50))
        if "first" in name or "around" in name
        else (interior(FIELD, 50))
    )
    expected = moved_by_itk(itk, points)
    np.testing.assert_allclose(transform_points(found, points), expected, atol=1e-3)


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".mat"])
def test_affine_files_of_other_kinds(suffix: str, tmp_path: Path) -> None:
    """ANTs writes .mat, older tools text."""
    data = in_bytes(sheared(), tmp_path, f"a{suffix}")
    points = interior(FIXED, 5)
    found = transform_points(decode_composite(data, suffix=suffix), points)
    np.testing.assert_allclose(found, moved_by_itk(sheared(), points), atol=1e-6)


def two_fields() -> sitk.Transform:
    return sitk.CompositeTransform([field_transform(breath()), field_transform(breath())])


def flattening() -> sitk.Transform:
    return sitk.ScaleTransform(3, (1.0, 0.0, 1.0))


def not_finite() -> sitk.Transform:
    transform = breath()
    transform.displacement_mm[0, 2, 2, 2] = np.nan
    return field_transform(transform)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (two_fields, "one displacement field.*2 fields.*as a file of its own"),
        (lambda: sitk.BSplineTransform(3), "affine maps.*BSpline.*displacement field first"),
        (lambda: sitk.AffineTransform(2), "three dimensions"),
        (flattening, "can be inverted"),
        (not_finite, "finite"),
    ],
)
def test_what_is_no_single_transform_is_refused(
    make: Callable[[], sitk.Transform], match: str, tmp_path: Path
) -> None:
    """With what is supported."""
    with pytest.raises(DataError, match=match):
        decode_composite(in_bytes(make(), tmp_path))


@pytest.mark.parametrize("data", [b"", b"text", encode_composite(breath())[:5000]])
def test_damaged_files_are_refused(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever ITK says of them on its own."""
    with pytest.raises(LungregError, match="complete ITK transform"):
        decode_composite(data)
    capfd.readouterr()


@pytest.mark.parametrize("suffix", [".txt", ".mat"])
def test_a_bare_matrix_is_refused_with_its_mend(suffix: str) -> None:
    """FLIRT and NiftyReg write four rows of numbers, each in a frame of its own."""
    data = b"1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"
    with pytest.raises(LungregError, match=r"a bare matrix.*must be converted"):
        decode_composite(data, suffix=suffix)


def test_other_suffixes_are_refused() -> None:
    """ITK would guess."""
    with pytest.raises(UnreadableFileError, match=r"\.h5"):
        decode_composite(b"", suffix=".xfm")
