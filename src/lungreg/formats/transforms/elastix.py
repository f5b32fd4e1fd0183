"""Read the parameter files of elastix: linear and B-spline transforms, one after the other.

A file names the one before it; its transform is applied after that one's ("Compose") or its
displacement added to it ("Add"). Its world is ITK's, and its matrices are written column by column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.local_files import read_file
from lungreg.formats.nifti import MAX_VOXELS
from lungreg.formats.transforms.composite import linear_matrix
from lungreg.spatial.geometry import (
    RAS_TO_LPS,
    FloatArray,
    Grid,
    Shape,
    Transform,
    affine_to_lps,
    affine_transform,
)
from lungreg.spatial.total_displacement import without_affine

_PARAMETER = re.compile(r"^\s*\(\s*(\w+)\s+(.*?)\s*\)\s*(?://.*)?$", re.MULTILINE)
_MOST_NODES = 20_000_000
_MOST_FILES = 16
_VALUES = "TransformParameters"
_NONE = "NoInitialTransform"
_INITIAL = ("InitialTransformParameterFileName", "InitialTransformParametersFileName")
_LINEAR = "TranslationTransform, EulerTransform, SimilarityTransform, AffineTransform"
_SPLINES = ("BSplineTransform", "RecursiveBSplineTransform")

Parameters = Mapping[str, list[str]]


def is_elastix(data: bytes) -> bool:
    """Whether a text file is one of elastix, not of ITK."""
    return re.search(rb"^\s*\(Transform\s", data, re.MULTILINE) is not None


def read_elastix(path: Path) -> tuple[Transform, Grid]:
    """Read a parameter file and those before it, which lie beside it.

    A spline is sampled on the fixed scan's grid, that of a large one no finer than 20 million
    nodes; it is smooth between its control points, which lie many voxels apart.

    Returns:
        The transform, and the fixed scan's grid that the file names.

    Raises:
        MissingFileError: A file that is named is not beside it.
        UnreadableFileError: Not a parameter file, or one that lacks something.
        UnsafeInputError: A grid of more voxels than allowed.
        DataError: A transform that is not supported.
    """
    chain = _chain(path)
    fixed = _fixed_grid(chain[-1])
    parts = [_part(one) for one in chain]
    if all(part.IsLinear() and not _is_added(one) for one, part in zip(chain, parts, strict=True)):
        matrix = linear_matrix(sitk.CompositeTransform(parts[::-1]))
        return affine_transform(affine_to_lps(matrix)), fixed
    nodes = _coarse(fixed)
    total_mm = _combined(chain, parts, nodes)
    affine = _leading_affine(chain, parts)
    u_mm = without_affine(affine, total_mm, nodes)
    return Transform(affine=affine, displacement_mm=u_mm, grid=nodes), fixed


def _combined(
    chain: Sequence[Parameters], parts: Sequence[sitk.Transform], nodes: Grid
) -> NDArray[np.float32]:
    """(3, X, Y, Z) `T(x) - x` of all parts at the nodes, RAS mm."""
    so_far: sitk.Transform = sitk.Transform(3, sitk.sitkIdentity)
    for one, part in zip(chain, parts, strict=True):
        if _is_added(one):
            so_far = _as_field(_sampled(so_far, nodes) + _sampled(part, nodes), nodes)
        else:
            so_far = sitk.CompositeTransform([part, so_far])
    signs = np.array([-1.0, -1.0, 1.0], dtype=np.float32)
    return np.asarray(_sampled(so_far, nodes) * signs[:, None, None, None])


def _leading_affine(chain: Sequence[Parameters], parts: Sequence[sitk.Transform]) -> FloatArray:
    """(4, 4) RAS of the linear parts before the first spline: what is left is small far out."""
    matrix: FloatArray = np.eye(4)
    for one, part in zip(chain, parts, strict=True):
        if not part.IsLinear() or _is_added(one):
            break
        matrix = linear_matrix(part) @ matrix
    return affine_to_lps(matrix)


def _chain(path: Path) -> list[Parameters]:
    """The parameters of the files, the one that is applied first first."""
    chain: list[Parameters] = []
    where: Path | None = path
    while where is not None:
        if len(chain) == _MOST_FILES:
            msg = f"at most {_MOST_FILES} parameter files follow each other"
            raise DataError(msg, got="more, or a circle")
        chain.insert(0, _parse(read_file(where)))
        named = next((chain[0][name][0] for name in _INITIAL if name in chain[0]), _NONE)
        # Only beside it: the paths inside are those of the machine that wrote it.
        before = PurePosixPath(named.replace("\\", "/")).name
        where = None if named == _NONE else path.with_name(before)
    return chain


def _parse(data: bytes) -> Parameters:
    if not is_elastix(data):
        msg = "a parameter file of elastix names its transform"
        raise UnreadableFileError(msg, got="none", mend="give TransformParameters.N.txt")
    found: dict[str, list[str]] = {}
    for name, values in _PARAMETER.findall(data.decode("utf-8", "replace")):
        found[name] = re.findall(r'"([^"]*)"', values) or values.split()
    return found


def _part(given: Parameters) -> sitk.Transform:
    name = given["Transform"][0]
    _require_known(name, given)
    numbers = _numbers(given, _VALUES)
    if name in _SPLINES:
        return _spline(given, numbers)
    centre = _numbers(given, "CenterOfRotationPoint") if name != "TranslationTransform" else None
    try:
        part = _linear(name, given, centre)
        part.SetParameters(numbers.tolist())
    except (RuntimeError, TypeError) as error:
        raise _incomplete(_VALUES) from error
    return part


def _require_known(name: str, given: Parameters) -> None:
    """Refuse other transforms, numbers in a file of their own, and a world without directions."""
    if name not in (*_LINEAR.split(", "), *_SPLINES):
        msg = f"a transform of elastix is {_LINEAR} or {' or '.join(_SPLINES)}"
        mend = "make a displacement of it with 'transformix -def all' and give that"
        raise DataError(msg, got=name, mend=mend)
    if given.get("UseBinaryFormatForTransformationParameters", ["false"])[0] == "true":
        msg = "a parameter file of elastix holds its numbers as text"
        mend = "make a displacement of it with 'transformix -def all' and give that"
        raise DataError(msg, got="numbers in another file", mend=mend)
    if given.get("UseDirectionCosines", ["true"])[0] == "false":
        msg = "a transform of elastix is in the world of the scans' headers"
        mend = "run elastix with UseDirectionCosines true"
        raise DataError(msg, got="one that leaves their directions out", mend=mend)


def _linear(name: str, given: Parameters, centre: FloatArray | None) -> sitk.Transform:
    part: Any
    if name == "TranslationTransform":
        return sitk.TranslationTransform(3)
    if name == "EulerTransform":
        part = sitk.Euler3DTransform()
        part.SetComputeZYX(given.get("ComputeZYX", ["false"])[0] == "true")
    elif name == "SimilarityTransform":
        part = sitk.Similarity3DTransform()
    else:
        part = sitk.AffineTransform(3)
    part.SetCenter([] if centre is None else centre.tolist())
    return cast("sitk.Transform", part)


def _spline(given: Parameters, numbers: FloatArray) -> sitk.Transform:
    order = int(_numbers(given, "BSplineTransformSplineOrder", [3.0])[0])
    if given.get("UseCyclicTransform", ["false"])[0] == "true" or not 1 <= order <= 3:
        msg = "a B-spline of elastix has order 1 to 3 and is not cyclic"
        raise DataError(msg, got=f"order {order}", mend="use 'transformix -def all'")
    grid = _grid(given, "GridSize", "GridIndex", "GridSpacing", "GridOrigin", "GridDirection")
    if numbers.size != 3 * grid.size:
        raise _incomplete(_VALUES)
    x, y, z = grid.shape
    images = []
    for component in numbers.reshape(3, z, y, x):
        image = sitk.GetImageFromArray(np.ascontiguousarray(component, dtype=np.float64))
        _lay(image, grid)
        images.append(image)
    return sitk.BSplineTransform(images, order)


def _fixed_grid(given: Parameters) -> Grid:
    grid = _grid(given, "Size", "Index", "Spacing", "Origin", "Direction")
    if grid.size > MAX_VOXELS:
        msg = f"a volume has at most {MAX_VOXELS} voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, grid.shape)))
    return grid


def _grid(given: Parameters, size: str, index: str, spacing: str, origin: str, turn: str) -> Grid:
    axes = _numbers(given, turn, np.eye(3).ravel().tolist())
    counts = _numbers(given, size)
    if len(counts) != 3 or len(axes) != 9:
        msg = "a transform has three dimensions"
        raise DataError(msg, got=len(counts))
    lps = np.eye(4)
    lps[:3, :3] = axes.reshape(3, 3).T * _numbers(given, spacing)
    lps[:3, 3] = _numbers(given, origin) + lps[:3, :3] @ _numbers(given, index, [0.0, 0.0, 0.0])
    x, y, z = (int(count) for count in counts)
    return Grid(shape=(x, y, z), affine=RAS_TO_LPS @ lps)


def _numbers(given: Parameters, name: str, default: list[float] | None = None) -> FloatArray:
    if name not in given and default is not None:
        return np.array(default)
    try:
        numbers = np.array([float(text) for text in given[name]])
    except (KeyError, ValueError) as error:
        raise _incomplete(name) from error
    if not np.isfinite(numbers).all():
        raise _incomplete(name)
    return numbers


def _incomplete(name: str) -> UnreadableFileError:
    msg = f"a parameter file of elastix is complete ({name})"
    return UnreadableFileError(msg, got="none, or another number of values", mend="copy it again")


def _is_added(given: Parameters) -> bool:
    """Whether the displacement is added to that of the transforms before."""
    first = all(given.get(name, [_NONE])[0] == _NONE for name in _INITIAL)
    how = given.get("HowToCombineTransforms", ["Compose" if first else ""])[0]
    if how not in ("Compose", "Add"):
        msg = 'HowToCombineTransforms is "Compose" or "Add"'
        raise DataError(msg, got=how or "none", mend="write into the file which is meant")
    return how == "Add" and not first


def _coarse(fixed: Grid) -> Grid:
    share = (_MOST_NODES / fixed.size) ** (1 / 3)
    if share >= 1:
        return fixed
    x, y, z = (max(2, int(np.ceil(n * share))) for n in fixed.shape)
    shape: Shape = (x, y, z)
    return fixed.resized(shape)


def _sampled(
    transform: sitk.Transform, nodes: Grid
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(3, X, Y, Z) `T(x) - x` at the nodes, LPS mm."""
    lps = RAS_TO_LPS @ nodes.affine
    image = sitk.TransformToDisplacementField(
        transform,
        sitk.sitkVectorFloat32,
        size=nodes.shape,
        outputOrigin=lps[:3, 3].tolist(),
        outputSpacing=nodes.spacing_mm.tolist(),
        outputDirection=(lps[:3, :3] / nodes.spacing_mm).ravel().tolist(),
    )
    return np.ascontiguousarray(sitk.GetArrayViewFromImage(image).transpose(3, 2, 1, 0))


def _as_field(total_mm: FloatArray, nodes: Grid) -> sitk.Transform:
    image = sitk.GetImageFromArray(total_mm.transpose(3, 2, 1, 0).astype(np.float64), isVector=True)
    _lay(image, nodes)
    return sitk.DisplacementFieldTransform(image)


def _lay(image: sitk.Image, grid: Grid) -> None:
    """Put an image on a grid."""
    lps = RAS_TO_LPS @ grid.affine
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection((lps[:3, :3] / grid.spacing_mm).ravel().tolist())
