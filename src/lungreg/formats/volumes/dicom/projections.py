"""Slices that a workstation has made by projection: what they show lies up to centimetres off.

DICOM PS3.3, Image Type (C.8.2.1.1.1, C.8.16.1) and Volume Based Calculation Technique; scanners
write names of their own into the type, such as "CT_SOM5 MIP" or "MIN IP".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ATTRIBUTES = ("ImageType", "FrameType", "VolumeBasedCalculationTechnique")
_NAMES = (
    *("MIP", "MINIP", "MNIP", "MAX[ _]IP", "MIN[ _]IP", "AVERAGE[ _]IP", "PROJECTION IMAGE"),
    *("VOLUME_PROJECTION", "VOLUME_RENDER", "SURFACE_RENDER", "VRT"),
)
_PATTERN = re.compile(rf"(?<![A-Z])({'|'.join(_NAMES)})(?![A-Z])")


def projection(values: Iterable[object]) -> str | None:
    """The kind of projection that values of `ATTRIBUTES` name, such as "MIP"; None for none.

    Args:
        values: Of one or several texts each, None where a file does not have the attribute.
    """
    texts = (str(value).upper() for value in values)
    return next((found.group(1) for found in map(_PATTERN.search, texts) if found), None)
