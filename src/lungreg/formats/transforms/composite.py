"""Read and write ITK transforms: a composite of an affine and a displacement field.

SimpleITK reads them. It also writes them, but only as double numbers without compression: 24 bytes
per node, where ours takes about 10 (float32, gzip) and loses nothing. The layout is that of ITK's
`HDF5TransformIO`; HDF5 turns the numbers into doubles as ITK reads them.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import SimpleITK as sitk
from isal import isal_zlib
from numpy.typing import NDArray

from lungreg.errors import DataError, UnreadableFileError
from lungreg.formats.transforms.rounding import rounded
from lungreg.spatial.geometry import (
    RAS_TO_LPS,
    FloatArray,
    Grid,
    Transform,
    affine_to_lps,
    affine_transform,
)
from lungreg.spatial.total_displacement import mapped_vectors

COMPOSITE_SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat")
_SIGNS = np.array([-1.0, -1.0, 1.0])
_CHUNK = 1 << 18
"""Numbers that are compressed together."""
_LEVEL = 3
"""As fast as level 1, and a little smaller."""
_SUPPORTED = (
    "affine maps, one displacement field, or a composite of affine maps around one displacement "
    "field"
)


def encode_composite(transform: Transform) -> bytes:
    """Write `T(x) = A(x + u(x))` as an ITK composite (HDF5): the affine, then the field.

    Of a composite ITK applies the transform that was added last first. Where a point lies outside
    the field's grid by more than half a voxel ITK takes `u` as zero; lungreg continues the
    outermost values. Inside both agree. The field is `rounded`.

    Args:
        transform: The map, in RAS; the file is in LPS.

    Returns:
        Bytes of a .h5 file that `sitk.ReadTransform`, ANTs, elastix and 3D Slicer read.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _put_text(file, "ITKVersion", sitk.Version.ITKVersionString())
        _put_text(file, "HDFVersion", h5py.version.hdf5_version)
        _put_text(file, "TransformGroup/0/TransformType", "CompositeTransform_double_3_3")
        _put_affine(file.create_group("TransformGroup/1"), affine_to_lps(transform.affine))
        _put_field(file.create_group("TransformGroup/2"), transform)
    return buffer.getvalue()


def decode_composite(data: bytes, *, suffix: str = ".h5") -> Transform:
    """Read an ITK transform, of this or another tool, as one `T(x) = A(x + u(x))`.

    A composite of affine maps B, a field u and affine maps C around it, `C(B x + u(B x))`, is one
    transform again: `A = C B`, and the field is turned into the world before B. A file without a
    field gets a displacement of zero on a grid of one voxel.

    Args:
        data: The file's bytes.
        suffix: The end of its name, one of `COMPOSITE_SUFFIXES`: ITK reads a file by its name.

    Raises:
        UnreadableFileError: Not an ITK transform.
        DataError: Not of three dimensions, several fields, or a transform of another kind.
    """
    parts = _parts(_read(data, suffix))
    fields = [index for index, part in enumerate(parts) if isinstance(part, sitk.Image)]
    if len(fields) > 1:
        msg = f"a file holds {_SUPPORTED}"
        mend = "give each field as a file of its own: 'lungreg apply' takes several"
        raise DataError(msg, got=f"{len(fields)} fields", mend=mend)
    where = fields[0] if fields else len(parts)
    before, after = _product(parts[:where]), _product(parts[where + 1 :])
    if not fields:
        return affine_transform(affine_to_lps(before))
    return _around(parts[where], before, after)


def _put_affine(group: h5py.Group, lps: FloatArray) -> None:
    _put_text(group, "TransformType", "AffineTransform_double_3_3")
    group["TransformFixedParameters"] = np.zeros(3)
    group["TransformParameters"] = np.concatenate([lps[:3, :3].ravel(), lps[:3, 3]])


def _put_field(group: h5py.Group, transform: Transform) -> None:
    lps, spacing = RAS_TO_LPS @ transform.grid.affine, transform.grid.spacing_mm
    axes = (lps[:3, :3] / spacing).ravel()
    _put_text(group, "TransformType", "DisplacementFieldTransform_double_3_3")
    group["TransformFixedParameters"] = np.concatenate(
        [transform.grid.shape, lps[:3, 3], spacing, axes]
    )
    _put_numbers(group, "TransformParameters", _interleaved(transform.displacement_mm))


def _interleaved(displacement_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """(Z * Y * X * 3,) rounded vectors in LPS, in ITK's order."""
    values = np.empty((*displacement_mm.shape[:0:-1], 3), dtype=np.float32)
    for k, part in enumerate(displacement_mm):
        values[..., k] = (rounded(part) * np.float32(_SIGNS[k])).T
    return values.ravel()


def _put_numbers(group: h5py.Group, name: str, values: NDArray[np.float32]) -> None:
    """Write float32 numbers (N,) as HDF5's own filters would, shuffle and gzip.

    They are packed here because isal takes a fifth of zlib's time; any HDF5 unpacks them.
    """
    chunk = min(values.size, _CHUNK)
    data = group.create_dataset(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(chunk,),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    for start in range(0, values.size, chunk):
        part = np.zeros(chunk, dtype=np.float32)  # the last chunk is stored whole as well
        part[: values.size - start] = values[start : start + chunk]
        shuffled = np.ascontiguousarray(part.view(np.uint8).reshape(chunk, -1).T)
        data.id.write_direct_chunk((start,), isal_zlib.compress(shuffled, _LEVEL))


def _put_text(group: h5py.Group, name: str, text: str) -> None:
    group.create_dataset(name, data=[text], dtype=h5py.string_dtype("ascii"))


def _read(data: bytes, suffix: str) -> sitk.Transform:
    if suffix.lower() not in COMPOSITE_SUFFIXES:
        msg = f"an ITK transform is one of {', '.join(COMPOSITE_SUFFIXES)}"
        raise UnreadableFileError(msg, got=repr(suffix), mend="convert it with SimpleITK")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"transform{suffix.lower()}"
        path.write_bytes(data)
        try:
            found: sitk.Transform = sitk.ReadTransform(str(path))
        except (RuntimeError, UnicodeDecodeError) as error:
            msg = "the file must be a complete ITK transform"
            got = "one that SimpleITK cannot read"
            mend = "copy it again; a bare matrix (FLIRT, NiftyReg) must be converted for ITK first"
            raise UnreadableFileError(msg, got=got, mend=mend) from error
    return found


def _parts(transform: sitk.Transform) -> list[Any]:
    """LPS affines (4, 4) and images of displacement in the order in which they are applied."""
    if transform.GetDimension() != 3:
        msg = "a transform has three dimensions"
        raise DataError(msg, got=transform.GetDimension())
    kind = transform.GetTransformEnum()
    if kind == sitk.sitkComposite:
        listed = sitk.CompositeTransform(transform)
        inside = [listed.GetNthTransform(n) for n in range(listed.GetNumberOfTransforms())]
        return [part for inner in reversed(inside) for part in _parts(inner)]
    if kind == sitk.sitkDisplacementField:
        return [sitk.DisplacementFieldTransform(transform).GetDisplacementField()]
    if not transform.IsLinear():
        msg = f"a file holds {_SUPPORTED}"
        mend = "turn it into a displacement field first (sitk.TransformToDisplacementField)"
        raise DataError(msg, got=transform.GetName(), mend=mend)
    return [linear_matrix(transform)]


def linear_matrix(linear: sitk.Transform) -> FloatArray:
    """(4, 4) in LPS of any linear transform, from where it carries the origin and the axes.

    Raises:
        DataError: Not finite, or not to be inverted.
    """
    origin = np.array(linear.TransformPoint((0.0, 0.0, 0.0)))
    axes = [linear.TransformPoint(axis) for axis in np.eye(3).tolist()]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(axes).T - origin[:, None]
    matrix[:3, 3] = origin
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        msg = "an affine map is finite and can be inverted"
        raise DataError(msg, got="one that is not", mend="export the transform again")
    return matrix


def _product(matrices: Sequence[FloatArray]) -> FloatArray:
    """One (4, 4) for matrices in the order in which they are applied."""
    product: FloatArray = np.eye(4)
    for matrix in matrices:
        product = matrix @ product
    return product


def _around(field: sitk.Image, before: FloatArray, after: FloatArray) -> Transform:
    """`after(before x + u(before x))`, LPS matrices, as one transform in RAS."""
    values: NDArray[Any] = (
        sitk.GetArrayFromImage(field).transpose(3, 2, 1, 0) * _SIGNS[:, None, None, None]
    )
    if not np.isfinite(values).all():
        msg = "a displacement is finite"
        raise DataError(msg, got="NaN or infinity", mend="export the transform again")
    lps = np.eye(4)
    direction = np.array(field.GetDirection()).reshape(3, 3)
    lps[:3, :3] = direction * np.array(field.GetSpacing())
    lps[:3, 3] = field.GetOrigin()
    back = np.linalg.inv(affine_to_lps(before))
    if not np.array_equal(back, np.eye(4)):
        values = mapped_vectors(back[:3, :3], values)
    nx, ny, nz = field.GetSize()
    return Transform(
        affine=affine_to_lps(after @ before),
        displacement_mm=np.ascontiguousarray(values, dtype=np.float32),
        grid=Grid(shape=(nx, ny, nz), affine=back @ RAS_TO_LPS @ lps),
    )
