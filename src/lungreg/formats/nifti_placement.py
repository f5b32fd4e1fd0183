"""Where a NIfTI header lays its voxels, in mm."""

from __future__ import annotations

from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError

from lungreg.errors import DataError
from lungreg.formats.placement import (
    Placement,
    in_millimetres,
)
from lungreg.spatial.geometry import FloatArray

_SPACE_UNITS = 0b111
_UNITS = {1: ("metres", 1e3), 3: ("microns", 1e-3)}
"""Name and mm by NIfTI's code; others are mm or not said."""


def nifti_placement(header: Any) -> Placement:
    """The affine of a NIfTI header in RAS mm: sform, else qform, else spacing alone.

    Args:
        header: nibabel's, unchecked.

    Raises:
        DataError: A bad spacing or rotation.
    """
    header = header.copy()
    _check_spacing(header)
    forms = _forms(header)
    stated = forms.get("sform", forms.get("qform", _without_forms(header)))
    name, mm = _UNITS.get(int(header["xyzt_units"]) & _SPACE_UNITS, ("mm", 1.0))
    scale = np.full(3, mm)
    return in_millimetres(stated, scale, name)


def _check_spacing(header: Any) -> None:
    spacing = np.asarray(header["pixdim"], dtype=np.float64)[1:4]
    if not np.isfinite(spacing).all() or (spacing <= 0).any():
        msg = "the voxel spacing in a header is positive"
        raise DataError(msg, got=[float(x) for x in spacing], mend="repair the header's spacing")


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
