"""Parameter files of elastix, against SimpleITK's transforms made of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, MissingFileError, UnreadableFileError
from lungreg.formats.transforms import elastix
from lungreg.formats.transforms.reading import read_transform
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import RAS_TO_LPS, Grid, flip_lps
from tests.formats.transforms.breathing import FIXED, interior

pytestmark = pytest.mark.usefixtures("one_thread")

LPS = RAS_TO_LPS @ FIXED.affine
CENTRE = (RAS_TO_LPS[:3, :3] @ FIXED.centre_ras).tolist()
POINTS = interior(FIXED, 40, margin=2)


def listed(values: Any) -> str:
    """Numbers as a parameter file has them."""
    return " ".join(repr(float(value)) for value in np.ravel(values))


def write(
    path: Path,
    name: str,
    numbers: Any,
    *,
    after: str | None = None,
    how: str = "Compose",
    **more: str,
) -> Path:
    """A parameter file on the fixed scan's grid, whose matrices are written column by column."""
    axes = (LPS[:3, :3] / FIXED.spacing_mm).T
    fields = {
        "Transform": f'"{name}"',
        "NumberOfParameters": str(np.size(numbers)),
        "TransformParameters": listed(numbers),
        "InitialTransformParameterFileName": f'"{after or "NoInitialTransform"}"',
        "HowToCombineTransforms": f'"{how}"',
        "Size": " ".join(map(str, FIXED.shape)),
        "Index": "0 0 0",
        "Spacing": listed(FIXED.spacing_mm),
        "Origin": listed(LPS[:3, 3]),
        "Direction": listed(axes),
        "CenterOfRotationPoint": listed(CENTRE),
        **more,
    }
    lines = [f"({key} {value})" for key, value in fields.items() if value]
    path.write_text("// made by a test\n" + "\n".join(lines) + "\n")
    return path


def spline() -> tuple[sitk.Transform, dict[str, str], np.ndarray]:
    """A B-spline over the fixed scan by SimpleITK, its grid as elastix says it, its numbers."""
    image = sitk.Image([int(n) for n in FIXED.shape], sitk.sitkUInt8)
    image.SetOrigin(LPS[:3, 3].tolist())
    image.SetSpacing(FIXED.spacing_mm.tolist())
    image.SetDirection((LPS[:3, :3] / FIXED.spacing_mm).ravel().tolist())
    transform = sitk.BSplineTransformInitializer(image, [4, 4, 4], 3)
    numbers = np.random.default_rng(0).normal(scale=5, size=len(transform.GetParameters()))
    transform.SetParameters(numbers.tolist())
    coefficients = transform.GetCoefficientImages()[0]
    grid = {
        "GridSize": " ".join(map(str, coefficients.GetSize())),
        "GridIndex": "0 0 0",
        "GridSpacing": listed(coefficients.GetSpacing()),
        "GridOrigin": listed(coefficients.GetOrigin()),
        "GridDirection": listed(np.reshape(coefficients.GetDirection(), (3, 3)).T),
        "BSplineTransformSplineOrder": "3",
    }
    return transform, grid, numbers


def require(path: Path, parts: Sequence[sitk.Transform], *, added: bool = False) -> None:
    """The file carries points as the transforms do, the first first, or by their sum."""
    expected = []
    for point in flip_lps(POINTS).tolist():
        if added:
            moves = [np.subtract(part.TransformPoint(point), point) for part in parts]
            expected.append(point + np.sum(moves, axis=0))
            continue
        for part in parts:
            point = part.TransformPoint(point)  # noqa: PLW2901
        expected.append(np.array(point))
    known = read_transform(path)
    found = flip_lps(transform_points(known.transform, POINTS))
    # A spline is sampled on the grid and linear between.
    exact = all(part.IsLinear() for part in parts)
    np.testing.assert_allclose(found, np.array(expected), atol=1e-4 if exact else 0.15)
    assert known.start is not None
    assert known.start.same_as(FIXED)
    nodes = FIXED.to_world(np.array([[5.0, 6.0, 7.0], [12.0, 9.0, 10.0]]))
    if not added:
        for node, ours in zip(nodes, transform_points(known.transform, nodes), strict=True):
            there = flip_lps(node[None])[0].tolist()
            for part in parts:
                there = part.TransformPoint(there)
            np.testing.assert_allclose(flip_lps(ours[None])[0], there, atol=1e-3)


def euler() -> sitk.Transform:
    return sitk.Euler3DTransform(CENTRE, 0.1, -0.2, 0.05, (3, -4, 5))


def affine() -> sitk.Transform:
    transform = sitk.AffineTransform(3)
    transform.SetCenter(CENTRE)
    transform.SetParameters([1.1, 0.02, 0, -0.03, 0.9, 0.1, 0, 0, 1.05, 2, 3, -4])
    return transform


def similarity() -> sitk.Transform:
    transform = sitk.Similarity3DTransform()
    transform.SetCenter(CENTRE)
    transform.SetParameters([0.1, -0.05, 0.02, 4, 5, 6, 1.1])
    return transform


LINEAR = {
    "EulerTransform": euler(),
    "AffineTransform": affine(),
    "SimilarityTransform": similarity(),
    "TranslationTransform": sitk.TranslationTransform(3, (1, -2, 3)),
}


@pytest.mark.parametrize("name", list(LINEAR))
def test_linear_transforms_are_exact(tmp_path: Path, name: str) -> None:
    """Each in elastix's order of parameters, about the centre that the file names."""
    transform = LINEAR[name]
    require(
        write(tmp_path / "TransformParameters.0.txt", name, transform.GetParameters()), [transform]
    )


def test_angles_may_be_in_the_other_order(tmp_path: Path) -> None:
    """ComputeZYX says so."""
    turned = euler()
    sitk_euler = sitk.Euler3DTransform(turned)
    sitk_euler.SetComputeZYX(True)
    numbers = sitk_euler.GetParameters()
    path = write(tmp_path / "t.txt", "EulerTransform", numbers, ComputeZYX='"true"')
    require(path, [sitk_euler])


def test_a_spline_after_two_linear_transforms(tmp_path: Path) -> None:
    """The files before it lie beside it, whatever folder they are said to be in."""
    write(tmp_path / "T.0.txt", "EulerTransform", euler().GetParameters())
    numbers = affine().GetParameters()
    write(tmp_path / "T.1.txt", "AffineTransform", numbers, after="/home/x/out/T.0.txt")
    last, grid, coefficients = spline()
    path = write(
        tmp_path / "T.2.txt", "BSplineTransform", coefficients, after="C:\\out\\T.1.txt", **grid
    )
    require(path, [euler(), affine(), last])
    known = read_transform(path).transform
    assert np.abs(known.displacement_mm).max() < 20  # of the spline alone


def test_displacements_may_be_added(tmp_path: Path) -> None:
    """As older versions combined them."""
    write(tmp_path / "T.0.txt", "AffineTransform", affine().GetParameters())
    last, grid, numbers = spline()
    path = write(
        tmp_path / "T.1.txt", "BSplineTransform", numbers, after="T.0.txt", how="Add", **grid
    )
    require(path, [affine(), last], added=True)


def test_a_large_grid_is_sampled_coarsely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The field has no more nodes than allowed; images lie on the scan's own grid all the same."""
    monkeypatch.setattr(elastix, "_MOST_NODES", 2000)
    last, grid, numbers = spline()
    known = read_transform(write(tmp_path / "T.txt", "BSplineTransform", numbers, **grid))
    assert known.transform.grid.size <= 2600
    assert known.start is not None
    assert known.start.same_as(FIXED)
    moved = flip_lps(transform_points(known.transform, POINTS))
    expected = [last.TransformPoint(point) for point in flip_lps(POINTS).tolist()]
    assert np.abs(moved - expected).max() < 1


@pytest.mark.parametrize(
    ("name", "more", "error", "match"),
    [
        ("SplineKernelTransform", {}, DataError, "got SplineKernelTransform; .*transformix"),
        ("AffineLogTransform", {"CenterOfRotationPoint": ""}, DataError, "got AffineLogTransform"),
        (
            "EulerTransform",
            {"UseDirectionCosines": '"false"'},
            DataError,
            "leaves their directions",
        ),
        (
            "EulerTransform",
            {"UseBinaryFormatForTransformationParameters": '"true"'},
            DataError,
            "numbers in another file",
        ),
        ("AffineTransform", {"TransformParameters": "1 2"}, UnreadableFileError, "complete"),
        ("AffineTransform", {"CenterOfRotationPoint": ""}, UnreadableFileError, "complete"),
        ("AffineTransform", {"Size": ""}, UnreadableFileError, r"\(Size\)"),
        ("BSplineTransform", {"GridSize": "3 3 3"}, UnreadableFileError, "complete"),
        ("AffineTransform", {"Size": "10 10", "Direction": "1 0 0 1"}, DataError, "three dim"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, more: dict[str, str], error: type[DataError], match: str
) -> None:
    """By name."""
    _, grid, numbers = spline()
    values = numbers if name == "BSplineTransform" else affine().GetParameters()
    path = write(tmp_path / "t.txt", name, values, **{**grid, **more})
    with pytest.raises(error, match=match):
        read_transform(path)


def test_the_files_before_are_needed(tmp_path: Path) -> None:
    """One that is missing, one that names itself, and one that does not say how."""
    numbers = affine().GetParameters()
    path = write(tmp_path / "t.txt", "AffineTransform", numbers, after="none.txt")
    with pytest.raises(MissingFileError):
        read_transform(path)
    path = write(tmp_path / "t.txt", "AffineTransform", numbers, after="t.txt")
    with pytest.raises(DataError, match="a circle"):
        read_transform(path)
    write(tmp_path / "0.txt", "AffineTransform", numbers)
    path = write(
        tmp_path / "t.txt", "AffineTransform", numbers, after="0.txt", HowToCombineTransforms=""
    )
    with pytest.raises(DataError, match="HowToCombineTransforms"):
        read_transform(path)


def test_an_itk_text_file_is_still_one(tmp_path: Path) -> None:
    """Both end in .txt."""
    sitk.WriteTransform(affine(), str(tmp_path / "t.txt"))
    known = read_transform(tmp_path / "t.txt")
    expected = [affine().TransformPoint(point) for point in flip_lps(POINTS).tolist()]
    found = flip_lps(transform_points(known.transform, POINTS))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_index_of_a_grid_moves_it(tmp_path: Path) -> None:
    """A region that does not begin at its image's first voxel."""
    path = write(tmp_path / "t.txt", "AffineTransform", affine().GetParameters(), Index="2 -1 3")
    moved = FIXED.affine.copy()
    moved[:3, 3] += FIXED.affine[:3, :3] @ [2, -1, 3]
    known = read_transform(path)
    assert known.start is not None
    assert known.start.same_as(Grid(shape=FIXED.shape, affine=moved))
