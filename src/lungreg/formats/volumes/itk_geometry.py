"""What a MetaImage or NRRD header leaves out of its geometry, where ITK fills in a value unasked.

ITK takes a spacing that is not given as 1 mm, an origin as 0, and any world as LPS.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lungreg.errors import DataError
from lungreg.formats.placement import Remark
from lungreg.formats.volumes.itk_header import ItkHeader
from lungreg.spatial.geometry import FloatArray

_FROM = ("RL", "AP", "IS")
"""Of each axis of LPS, the side that it comes from and the one that it leads to."""
_SPACINGS = ("elementspacing", "elementsize")
_AXIS_BOUNDS = ("axismins", "axismaxs")
_ORIGINS = ("offset", "position", "origin")
_MATRICES = ("transformmatrix", "rotation", "orientation")
_PATIENT_SPACES = ("left-", "right-", "lps", "ras", "las")
"""How names of the patient's world begin, with or without time."""


def require_spacing(header: ItkHeader) -> None:
    """Refuse a header without a spacing, or with one that is not positive.

    Raises:
        DataError: Missing, fewer than three numbers, not finite, or not above 0.
    """
    name, given = _spacing(header)
    numbers = [number for number in given if np.isfinite(number)]
    if len(numbers) < 3:
        msg = f"a header says how far apart its voxels are ({name})"
        mend = "write the file again with its spacing; 1 mm is not assumed"
        raise DataError(msg, got="none", mend=mend)
    if min(numbers) <= 0:
        msg = f"the voxel spacing in a header is positive ({name})"
        raise DataError(msg, got=numbers, mend="repair the header's spacing")


def require_read_spacing(header: ItkHeader, read: Sequence[float]) -> None:
    """Refuse a header that ITK understands otherwise, as one that says its spacing twice.

    Args:
        header: Its fields.
        read: The spacing that ITK found, in the header's unit.

    Raises:
        DataError: They differ.
    """
    name, numbers = _spacing(header)
    given = [abs(number) for number in numbers if np.isfinite(number)][:3]
    if not np.allclose(given, read[:3], rtol=1e-3):
        msg = f"a header says one spacing, which ITK understands ({name})"
        raise DataError(msg, got=f"{given}, of which ITK reads {list(read[:3])}")


def geometry_remarks(header: ItkHeader) -> tuple[Remark, ...]:
    """What is not said of place and values, or said twice and differently."""
    found = _nrrd_remarks(header) if header.is_nrrd else _metaimage_remarks(header)
    return tuple(Remark(code=code, text=text) for code, text in found)


def is_patient_space(header: ItkHeader) -> bool:
    """Whether the world is the patient's by name; a MetaImage has no other."""
    return not header.is_nrrd or header.space.startswith(_PATIENT_SPACES)


def _spacing(header: ItkHeader) -> tuple[str, list[float]]:
    """The field that gives the spacing, and its numbers."""
    if not header.is_nrrd:
        given = _first(header, _SPACINGS)
        return "ElementSpacing", [] if given is None else _numbers(given)
    if "spacedirections" in header.fields:
        return "space directions", _lengths(header.fields["spacedirections"])
    if all(name in header.fields for name in _AXIS_BOUNDS):
        low, high = (_numbers(header.fields[name]) for name in _AXIS_BOUNDS)
        return "axis mins", [b - a for a, b in zip(low, high, strict=False)]
    return "spacings", _numbers(header.fields.get("spacings", ""))


def _nrrd_remarks(header: ItkHeader) -> list[tuple[str, str]]:
    found = []
    if not is_patient_space(header):
        named = f"another world, {header.space}" if header.space else "no world (space)"
        text = f"the header names {named}: it was taken as LPS, as ITK does"
        found.append(("no_orientation", text))
    if "spaceorigin" not in header.fields:
        found.append(("no_origin", _no_origin("space origin")))
    return found


def _metaimage_remarks(header: ItkHeader) -> list[tuple[str, str]]:
    found = []
    matrix = _first(header, _MATRICES)
    if matrix is None:
        text = "the header gives no orientation (TransformMatrix): axes were taken along LPS, "
        found.append(("no_orientation", text + "as ITK does"))
    elif (odd := _other_letters(_numbers(matrix), header)) is not None:
        found.append(("two_orientations", odd))
    if _first(header, _ORIGINS) is None:
        found.append(("no_origin", _no_origin("Offset")))
    slope = _numbers(header.fields.get("elementtointensityfunctionslope", "1"))
    offset = _numbers(header.fields.get("elementtointensityfunctionoffset", "0"))
    if (slope, offset) != ([1.0], [0.0]):
        text = (
            "the header names a scale (ElementToIntensityFunction): it was not applied, as in ITK"
        )
        found.append(("scale", text))
    return found


def _no_origin(name: str) -> str:
    return f"the header does not say where the first voxel lies ({name}): 0, 0, 0 was taken"


def _other_letters(matrix: Sequence[float], header: ItkHeader) -> str | None:
    """What to say where AnatomicalOrientation is neither reading of the matrix."""
    letters = header.fields.get("anatomicalorientation", "").upper()
    if len(matrix) != 9 or len(letters) != 3 or not set(letters) <= set("".join(_FROM)):
        return None
    axes = np.array(matrix).reshape(3, 3)
    coming = "".join(_side(axis, 0) for axis in axes)
    leading = "".join(_side(axis, 1) for axis in axes)
    if letters in (coming, leading):
        return None
    return (
        f"AnatomicalOrientation is {letters} and TransformMatrix {coming}: the matrix was taken, "
        "as ITK does"
    )


def _side(axis: FloatArray, end: int) -> str:
    """The letter from which (0) or to which (1) an axis in LPS runs."""
    which = int(np.abs(axis).argmax())
    return _FROM[which][end if axis[which] > 0 else 1 - end]


def _first(header: ItkHeader, names: Sequence[str]) -> str | None:
    return next((header.fields[name] for name in names if name in header.fields), None)


def _lengths(directions: str) -> list[float]:
    """Length of each vector in an NRRD's list of them."""
    vectors = [part.split(")")[0] for part in directions.split("(")[1:]]
    return [float(np.linalg.norm(_numbers(vector.replace(",", " ")))) for vector in vectors]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []
