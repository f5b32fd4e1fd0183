"""The units of length that headers of images name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lungreg.errors import DataError

_MM_BY_NAME: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("mm", "millimeter", "millimetre"), 1.0),
        **dict.fromkeys(("cm", "centimeter", "centimetre"), 10.0),
        **dict.fromkeys(("m", "meter", "metre"), 1000.0),
        **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "micrometer", "micrometre", "micron"), 1e-3),
    }
)
_UNSAID = ("", "?", "???", "none", "unknown")


def millimetres(unit: str) -> float:
    """How many mm a unit is, by its name or symbol; one that is not said is taken as mm.

    Raises:
        DataError: Another unit than metres and parts of them.
    """
    name = unit.strip().strip('"').strip().lower()
    if name in _UNSAID:
        return 1.0
    known = _MM_BY_NAME.get(name, _MM_BY_NAME.get(name.removesuffix("s")))
    if known is None:
        msg = "lengths in a header are in mm, cm, m or um"
        raise DataError(msg, got=repr(unit), mend="write the file again in mm")
    return known
