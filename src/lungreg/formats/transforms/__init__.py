"""Read and write transforms and displacement fields.

On disk everything is in ITK's world (LPS, mm), unless a format says its own; in memory in NIfTI's
(RAS, mm).
"""

from __future__ import annotations

from lungreg.formats.transforms.composite import (
    COMPOSITE_SUFFIXES,
    decode_composite,
    encode_composite,
)
from lungreg.formats.transforms.description import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    Description,
    decode_description,
    describe_grid,
    describe_transform,
)
from lungreg.formats.transforms.vectors import (
    decode_displacement,
    decode_transform,
    decode_true_displacement,
    encode_displacement,
    encode_learn2reg,
)

__all__ = [
    "COMPOSITE_SUFFIXES",
    "FIXED_TO_MOVING",
    "MOVING_TO_FIXED",
    "Description",
    "decode_composite",
    "decode_description",
    "decode_displacement",
    "decode_transform",
    "decode_true_displacement",
    "describe_grid",
    "describe_transform",
    "encode_composite",
    "encode_displacement",
    "encode_learn2reg",
]
