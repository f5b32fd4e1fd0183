"""Read vector fields from NIfTI, MetaImage and NRRD, with what the files say of their meaning."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.memory_order import c_ordered
from lungreg.formats.nifti import MAX_VOXELS, decode_nifti
from lungreg.formats.nifti_header import INTENT_DISPLACEMENT, INTENT_VECTOR, Intent
from lungreg.formats.placement import Remark
from lungreg.formats.transforms.fields import (
    ITK_DISPLACEMENT,
    UNSAID,
    FieldKind,
    FieldMeaning,
    VectorField,
)
from lungreg.formats.volumes.itk import image_placement
from lungreg.formats.volumes.itk_geometry import geometry_remarks, require_spacing
from lungreg.formats.volumes.itk_header import ItkHeader, read_itk_header
from lungreg.spatial.geometry import Frame, Grid

FIELD_IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")
_NIFTYREG, _SPM = "NREG_TRANS", "Mapping"
_NIFTYREG_KINDS = {
    0: FieldKind.POSITION,
    1: FieldKind.DISPLACEMENT,
    3: FieldKind.VELOCITY_AS_POSITION,
    4: FieldKind.VELOCITY,
}
"""By NiftyReg's `NREG_TRANS_TYPE`; 2, 5 and 6 are control points of splines."""
_FSL = range(2006, 2020)
_UNNAMED = ("", "vector")
_IDENTITY = "(1,0,0) (0,1,0) (0,0,1)"
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_LPS_SPACES = ("left-posterior-superior", "lps")
_TO_FIELD = "make a deformation field of it first (reg_transform -def)"


def decode_field(data: bytes, *, max_voxels: int = MAX_VOXELS) -> VectorField:
    """Read a vector field from NIfTI bytes.

    Intents: 1006 are displacements in RAS, as the standard has it and ITK reads it; 1007 without
    a name is what ITK writes, displacements in LPS; NiftyReg and SPM name theirs.

    Raises:
        UnreadableFileError: Not a NIfTI file, cut off or damaged.
        UnsafeInputError: More voxels than allowed.
        DataError: Not vectors of three components, control points, another tool's own convention,
            or lengths in another unit than mm.
    """
    array = decode_nifti(data, max_voxels=max_voxels, components=3)
    _require_mm(array.remarks)
    nx, ny, nz, _ = array.raw.shape
    values = array.raw.astype(np.float32) * np.float32(array.slope) + np.float32(array.intercept)
    meaning, why = _nifti_meaning(array.intent)
    return VectorField(
        vectors=np.stack([c_ordered(values[..., component]) for component in range(3)]),
        grid=Grid(shape=(nx, ny, nz), affine=array.affine),
        meaning=meaning,
        why=why,
        remarks=array.remarks,
    )


def read_field_image(path: Path, *, max_voxels: int = MAX_VOXELS) -> VectorField:
    """Read a vector field from a MetaImage or NRRD file, such as of transformix or 3D Slicer.

    Its vectors are displacements in ITK's world (LPS), unless an NRRD names another.

    Raises:
        UnreadableFileError: SimpleITK cannot read it.
        UnsafeInputError: More voxels than allowed, or data in a file outside its folder.
        DataError: Not three dimensions and three components, or lengths in another unit than mm.
    """
    header = read_itk_header(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetOutputPixelType(sitk.sitkVectorFloat32)
    try:
        reader.ReadImageInformation()
        _check(reader, max_voxels)
        require_spacing(header)
        image = reader.Execute()
    except RuntimeError as error:
        msg = "the file must be complete and of the format that its name says"
        got = "one that SimpleITK cannot read"
        raise UnreadableFileError(msg, got=got, mend="copy it again") from error
    placement = image_placement(image, header.millimetres())
    _require_mm(placement.remarks)
    values: NDArray[np.float32] = sitk.GetArrayFromImage(image).transpose(3, 2, 1, 0)
    nx, ny, nz = image.GetSize()
    meaning, why = _image_meaning(header)
    return VectorField(
        vectors=np.ascontiguousarray(values),
        grid=Grid(shape=(nx, ny, nz), affine=placement.affine),
        meaning=meaning,
        why=why,
        remarks=(*geometry_remarks(header), *placement.remarks),
    )


def _nifti_meaning(intent: Intent) -> tuple[FieldMeaning, str]:
    if intent.code in _FSL:
        msg = "a field is given in mm of the world"
        got = "a warp of FSL, which is in a frame of its own"
        raise DataError(msg, got=got, mend="turn it into a displacement for ITK first")
    if intent.name == _NIFTYREG:
        return _niftyreg_meaning(*intent.parameters)
    if intent.name == _SPM and intent.code == INTENT_VECTOR:
        meaning = FieldMeaning(kind=FieldKind.POSITION, frame=Frame.RAS)
        return meaning, "a mapping of SPM (positions)"
    if not intent.has_time_axis:
        return UNSAID, "vectors of shape (X, Y, Z, 3), which many tools use, each in its own way"
    if intent.code == INTENT_DISPLACEMENT:
        meaning = FieldMeaning(kind=FieldKind.DISPLACEMENT, frame=Frame.RAS)
        return meaning, "displacements (intent 1006)"
    if intent.code == INTENT_VECTOR and intent.name.lower() in _UNNAMED:
        return ITK_DISPLACEMENT, "vectors as ITK writes displacements (intent 1007)"
    named = " and a name of its own" if intent.name else ""
    return UNSAID, f"a file of intent {intent.code}{named}, which does not say it"


def _niftyreg_meaning(code: float, squarings: float) -> tuple[FieldMeaning, str]:
    kind = _NIFTYREG_KINDS.get(int(code))
    if kind is None:
        msg = "a field has a vector at each node"
        raise DataError(msg, got="the control points of a spline of NiftyReg", mend=_TO_FIELD)
    if kind not in (FieldKind.POSITION, FieldKind.DISPLACEMENT) and squarings < 0:
        msg = "a velocity field leads from the fixed scan to the moving one"
        raise DataError(msg, got="one of NiftyReg that leads back", mend=_TO_FIELD)
    return FieldMeaning(kind=kind, frame=Frame.RAS), f"a field of NiftyReg ({kind.value})"


def _image_meaning(header: ItkHeader) -> tuple[FieldMeaning, str]:
    meaning = FieldMeaning(kind=FieldKind.DISPLACEMENT)
    if header.is_nrrd and header.space not in _LPS_SPACES:
        named = f"space is {header.space}" if header.space else "header names no space"
        return meaning, f"vectors in an image whose {named}"
    if not _is_identity(header.fields.get("measurementframe", _IDENTITY)):
        return meaning, "vectors in a frame of their own (measurement frame)"
    return ITK_DISPLACEMENT, "vectors as ITK writes displacements"


def _is_identity(frame: str) -> bool:
    """Whether an NRRD's measurement frame, which ITK does not heed, is that of its space."""
    numbers = [float(number) for number in _NUMBER.findall(frame)]
    return numbers == np.eye(3).ravel().tolist()


def _check(reader: sitk.ImageFileReader, max_voxels: int) -> None:
    size = reader.GetSize()
    if len(size) != 3 or reader.GetNumberOfComponents() != 3:
        msg = "a field has three dimensions and a vector of three components at each node"
        got = f"{len(size)} dimensions and {reader.GetNumberOfComponents()} components"
        raise DataError(msg, got=got)
    if int(np.prod(size, dtype=object)) > max_voxels:
        msg = f"a volume has at most {max_voxels} voxels"
        raise UnsafeInputError(msg, got=" x ".join(map(str, size)))


def _require_mm(remarks: tuple[Remark, ...]) -> None:
    if any(remark.code == "units" for remark in remarks):
        msg = "a field is given in mm, grid and vectors"
        raise DataError(msg, got="a header in another unit", mend="write it again in mm")
