"""The inspirations that varied pairs start from: an analytic chest, or a real CT with its mask."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from lungreg.formats.volumes import read_volume
from lungreg.sources.simulation.analytic import simulate_inspiration
from lungreg.sources.simulation.chest import bottom_face
from lungreg.spatial.geometry import Shape
from tests.varied.scans import Scan, cropped

REAL_FILES = {
    "cip_ct64": ("ct.nii.gz", "lung_mask.nii.gz"),
    "lung_fcp": ("ct_1p5mm.nii.gz", "lung_mask_1p5mm.nii.gz"),
}
_ANALYTIC: dict[str, tuple[Shape, tuple[float, float, float]]] = {
    "analytic": ((212, 172, 156), (1.45, 1.45, 1.7)),
    "small": ((62, 50, 53), (5.0, 5.0, 5.0)),
}
"""Shape and spacing of chests that are given by formulas, finer than the scans made of them."""
_FLAT_SHARE = 0.35
_INDEX = 77
"""Keeps these patients apart from those of `simulate` and of the other benchmarks."""


def available_bases() -> tuple[str, ...]:
    """What pairs can be made of here: real CTs where `LUNGREG_REAL_DATA` names their folder."""
    root = os.environ.get("LUNGREG_REAL_DATA")
    found = [n for n, files in REAL_FILES.items() if root and (Path(root) / n / files[0]).exists()]
    return ("analytic", *found)


@lru_cache(maxsize=3)
def load_source(base: str, seed: int) -> Scan:
    """The inspiration of a base, without any trouble; of real CT the same for every seed.

    Raises:
        ValueError: A base that is not available.
    """
    if base in _ANALYTIC:
        shape, spacing_mm = _ANALYTIC[base]
        picture = simulate_inspiration(seed, _INDEX, shape=shape, spacing_mm=spacing_mm)
        return Scan(hu=picture.hu, mask=(picture.mask > 0).astype(np.uint8), grid=picture.grid)
    if base not in available_bases():
        msg = f"base is one of {available_bases()}, got {base!r}"
        raise ValueError(msg)
    folder = Path(os.environ["LUNGREG_REAL_DATA"]) / base
    ct, mask = (folder / name for name in REAL_FILES[base])
    scan, lungs = read_volume(ct), read_volume(mask, mask=True)
    hu = np.ascontiguousarray(scan.data, dtype=np.float32)
    return _as_far_as_marked(Scan(hu=hu, mask=(lungs.data > 0).astype(np.uint8), grid=scan.grid))


def _as_far_as_marked(scan: Scan) -> Scan:
    """Without the lowest planes if the mask ends flat above them, though they show lung."""
    axis, starts_low = bottom_face(scan.grid)
    area = scan.mask.sum(axis=tuple(a for a in range(3) if a != axis))
    marked = np.flatnonzero(area)
    first, last = int(marked[0]), int(marked[-1])
    if area[first if starts_low else last] < _FLAT_SHARE * area.max():
        return scan
    return cropped(scan, axis, slice(first, None) if starts_low else slice(0, last + 1))
