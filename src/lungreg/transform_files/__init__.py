"""Transforms, vector fields and point lists to files and from them.

On disk everything is in ITK's world (LPS, mm), unless a format says its own; in memory in NIfTI's
(RAS, mm).
"""

from __future__ import annotations

from lungreg.transform_files.composite import (
    COMPOSITE_SUFFIXES,
    affine_transform,
    decode_composite,
    encode_composite,
)
from lungreg.transform_files.description import (
    FIXED_TO_MOVING,
    MOVING_TO_FIXED,
    Description,
    decode_description,
    describe_grid,
    describe_transform,
)
from lungreg.transform_files.landmarks import (
    LANDMARK_COLUMNS,
    decode_landmarks,
    encode_landmarks,
)
from lungreg.transform_files.point_list import PointList
from lungreg.transform_files.points import POINT_SUFFIXES, decode_points, encode_points
from lungreg.transform_files.vectors import (
    decode_displacement,
    encode_displacement,
    encode_learn2reg,
)

__all__ = [
    "COMPOSITE_SUFFIXES",
    "FIXED_TO_MOVING",
    "LANDMARK_COLUMNS",
    "MOVING_TO_FIXED",
    "POINT_SUFFIXES",
    "Description",
    "PointList",
    "affine_transform",
    "decode_composite",
    "decode_description",
    "decode_displacement",
    "decode_landmarks",
    "decode_points",
    "describe_grid",
    "describe_transform",
    "encode_composite",
    "encode_displacement",
    "encode_landmarks",
    "encode_learn2reg",
    "encode_points",
]
