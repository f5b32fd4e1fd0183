"""Where a NIfTI header lays its voxels: units, and orientation in up to two forms.

A header may state the orientation twice, as sform (an affine) and as qform (a quaternion with the
spacing in `pixdim`). nibabel takes the sform; ITK takes either, by its code, and the spacing always
from `pixdim`. Where the statements differ a transform would be right in one tool alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError

from lungreg.errors import DataError
from lungreg.formats.placement import (
    Placement,
    Remark,
    gap_mm,
    in_millimetres,
    right_angled,
    rounding_mm,
)
from lungreg.spatial.geometry import FloatArray, Grid, Shape

_SPACE_UNITS = 0b111
_UNITS = {0: ("mm", 1.0), 1: ("metres", 1e3), 2: ("mm", 1.0), 3: ("microns", 1e-3)}
"""Name and mm by NIfTI's code; 0 is not said."""
_ITK_WITHOUT_FORMS = np.array([-1.0, -1.0, 1.0])


def nifti_placement(header: Any, shape: Shape) -> Placement:
    """The affine of a NIfTI header in RAS mm: sform, else qform, else spacing alone.

    Args:
        header: nibabel's, unchecked.
        shape: (X, Y, Z) voxels.

    Raises:
        DataError: A bad spacing or rotation, shear, or two forms that contradict each other.
    """
    header = header.copy()
    spacing = _spacing(header)
    forms = _forms(header)
    stated = forms.get("sform", forms.get("qform", _without_forms(header)))
    unit = int(header["xyzt_units"]) & _SPACE_UNITS
    name, mm = _UNITS.get(unit, ("mm", 1.0))
    scale = np.full(3, mm)
    converted = in_millimetres(stated, scale, name)
    straight = right_angled(converted.affine, shape)
    grid = Grid(shape=shape, affine=straight.affine)
    if "sform" in forms:
        _require_spacing(grid, spacing * mm)
    if len(forms) > 1:
        other = in_millimetres(forms["qform"], scale, name).affine
        _require_one_place(grid, Grid(shape=shape, affine=other))
    unsaid = () if forms else (_no_orientation(grid),)
    unknown = () if unit in _UNITS else (_unknown_unit(unit),)
    remarks = (*converted.remarks, *unknown, *straight.remarks, *unsaid)
    return Placement(affine=straight.affine, remarks=remarks)


def _spacing(header: Any) -> FloatArray:
    spacing = np.asarray(header["pixdim"], dtype=np.float64)[1:4]
    if not np.isfinite(spacing).all() or (spacing <= 0).any():
        msg = "the voxel spacing in a header is positive"
        raise DataError(msg, got=[float(x) for x in spacing], mend="repair the header's spacing")
    return spacing


def _forms(header: Any) -> dict[str, FloatArray]:
    """(4, 4) by name of the form, of those whose code says that they are meant."""
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # NIfTI: a factor of 0 is to be taken as 1
    forms: dict[str, FloatArray] = {}
    try:
        if header["sform_code"] > 0:
            forms["sform"] = np.asarray(header.get_sform(), dtype=np.float64)
        if header["qform_code"] > 0:
            forms["qform"] = np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        msg = "the orientation in a header must be valid"
        raise DataError(msg, got="an impossible rotation", mend="repair the header") from error
    if not all(np.isfinite(form).all() for form in forms.values()):
        msg = "an affine is a finite 4 x 4 matrix"
        raise DataError(msg, got="NaN or infinity", mend="repair the header")
    return forms


def _without_forms(header: Any) -> FloatArray:
    return np.asarray(header.get_base_affine(), dtype=np.float64)


def _require_spacing(grid: Grid, pixdim_mm: FloatArray) -> None:
    gap = np.abs(grid.spacing_mm - pixdim_mm) * np.array(grid.shape)
    if gap.max() > rounding_mm(grid):
        msg = "the spacing of a header (pixdim) is that of its sform"
        got = f"{_listed(pixdim_mm)} mm and {_listed(grid.spacing_mm)} mm"
        mend = "nibabel takes the sform's, ITK pixdim's: write the file again with the right one"
        raise DataError(msg, got=got, mend=mend)


def _require_one_place(sform: Grid, qform: Grid) -> None:
    apart_mm = gap_mm(sform, qform)
    if apart_mm > rounding_mm(sform):
        msg = "the two orientations of a header, sform and qform, lay a voxel in one place"
        got = (
            f"{apart_mm:.4g} mm apart: first voxel at {_listed(sform.affine[:3, 3])} by sform and "
            f"{_listed(qform.affine[:3, 3])} by qform (RAS mm)"
        )
        mend = "tools differ in which they take: in nibabel, img.set_qform(img.get_sform(), 1) "
        mend += "keeps the sform and img.set_sform(img.get_qform(), 1) the qform"
        raise DataError(msg, got=got, mend=mend)


def _unknown_unit(unit: int) -> Remark:
    text = f"the header gives lengths in a unit that NIfTI does not know ({unit}): mm was taken"
    return Remark(code="unknown_unit", text=text)


def _no_orientation(grid: Grid) -> Remark:
    itk = _ITK_WITHOUT_FORMS * grid.spacing_mm
    text = (
        "the header gives no orientation (both codes are 0), so that tools differ: taken is "
        f"nibabel's reading, first voxel at {_listed(grid.affine[:3, 3])} and steps of "
        f"{_listed(np.diag(grid.affine))} mm (RAS); ITK would take 0, 0, 0 and {_listed(itk)}"
    )
    return Remark(code="no_orientation", text=text)


def _listed(numbers: FloatArray) -> str:
    return ", ".join(f"{float(number):.6g}" for number in numbers[:3])
