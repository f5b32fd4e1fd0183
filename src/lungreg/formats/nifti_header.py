"""Fields of a NIfTI header: shape, type, scale and intent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError

from lungreg.errors import DataError, UnreadableFileError

INTENT_DISPLACEMENT = 1006
INTENT_VECTOR = 1007


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a header says that its values mean."""

    code: int = 0
    """Such as `INTENT_VECTOR`; 0 says nothing."""
    name: str = ""
    """Free text by which some tools know their files."""
    parameters: tuple[float, float] = (0.0, 0.0)
    """Of a meaning that depends on the code and the name."""
    has_time_axis: bool = True
    """Whether vectors have the shape (X, Y, Z, 1, 3) of NIfTI, not (X, Y, Z, 3)."""


NO_INTENT = Intent()


def read_intent(header: Any) -> Intent:
    """The intent of a header."""
    return Intent(
        code=int(header["intent_code"]),
        name=bytes(header["intent_name"].item()).decode("latin-1").strip("\0 "),
        parameters=(float(header["intent_p1"]), float(header["intent_p2"])),
        has_time_axis=int(header["dim"][0]) != 4,
    )


def read_shape(header: Any, components: int) -> tuple[int, ...]:
    """The shape of a volume, (X, Y, Z), or of a vector field, (X, Y, Z, components).

    Raises:
        DataError: Another number of dimensions or components.
    """
    dims = [int(n) for n in header["dim"]]
    if not 1 <= dims[0] <= 7 or min(dims[1 : dims[0] + 1]) < 1:
        msg = "every size in a header is at least 1"
        raise DataError(msg, got=dims[1 : max(1, dims[0]) + 1])
    shape = dims[1 : dims[0] + 1]
    if components > 1:
        if shape[3:] not in ([1, components], [components]):
            msg = f"a vector field has shape (X, Y, Z, 1, {components})"
            raise DataError(msg, got=tuple(shape))
        return (*shape[:3], components)
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) != 3:
        msg = "a volume has three dimensions"
        mend = "take one time point or channel" if len(shape) > 3 else "stack the slices"
        raise DataError(msg, got=f"{len(shape)} {tuple(shape)}", mend=mend)
    return tuple(shape)


def read_dtype(header: Any) -> np.dtype[Any]:
    """The type of the stored values.

    Raises:
        UnreadableFileError: An unknown code.
        DataError: Complex numbers, colours, or numbers of more than 8 bytes.
    """
    try:
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        msg = "the header must name a NIfTI data type"
        raise UnreadableFileError(msg, got=f"code {int(header['datatype'])}") from error
    if dtype.kind == "c":
        msg = "values must be real numbers"
        raise DataError(msg, got="complex numbers", mend="take magnitude or real part")
    if dtype.fields is not None:
        msg = "values must be single numbers"
        raise DataError(msg, got="a colour image (RGB)", mend="export the scan, not a picture")
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        msg = "values must be integers or floats of at most 8 bytes"
        raise DataError(msg, got=dtype.name)
    return dtype


def read_scale(header: Any) -> tuple[float, float]:
    """Slope and intercept: 1 and 0 where the header has none.

    Raises:
        DataError: An intercept that is not finite.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(intercept):
        msg = "the scale in a header is finite"
        raise DataError(msg, got=f"intercept {intercept}", mend="repair the header")
    return slope, intercept
