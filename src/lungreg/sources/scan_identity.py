"""What a scan is known by, whatever file it came in, and cases that share a scan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from lungreg.formats.volumes import Volume


def scan_digest(volume: Volume, hu_offset: float) -> str:
    """SHA-256 of what a scan shows: its Hounsfield units, whole numbers, in the order nearest RAS.

    The same for copies under another name, compression, file format, order of the axes or offset of
    the stored values; the position in space does not count.

    Args:
        volume: The scan.
        hu_offset: Stored value less Hounsfield units.
    """
    near_ras = apply_orientation(volume.data, io_orientation(volume.grid.affine))
    hu = np.rint(near_ras - np.float32(hu_offset)).astype("<i4")
    digest = hashlib.sha256(str(hu.shape).encode())
    digest.update(np.ascontiguousarray(hu).data)
    return digest.hexdigest()


def cases_by_scan(scans: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The groups of cases that hold one scan, as fixed or as moving scan, each in order.

    Args:
        scans: By case id, what its scans are known by.
    """
    holders: dict[str, set[str]] = {}
    for case_id, known_by in scans.items():
        for scan in known_by:
            holders.setdefault(scan, set()).add(case_id)
    found = {tuple(sorted(ids)) for ids in holders.values() if len(ids) > 1}
    return [list(ids) for ids in sorted(found)]
