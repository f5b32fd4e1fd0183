"""Read and write scans and masks."""

from __future__ import annotations

from lungreg.formats.nifti import MAX_VOXELS
from lungreg.formats.volumes.codec import (
    check_scan,
    decode_mask,
    decode_scan,
    encode_labels,
    encode_volume,
)
from lungreg.formats.volumes.hounsfield import HuVerdict, hu_offset
from lungreg.formats.volumes.reading import read_volume
from lungreg.formats.volumes.volume import Stored, Volume

__all__ = [
    "MAX_VOXELS",
    "HuVerdict",
    "Stored",
    "Volume",
    "check_scan",
    "decode_mask",
    "decode_scan",
    "encode_labels",
    "encode_volume",
    "hu_offset",
    "read_volume",
]
