"""Scans whose lungs a person sees at once and a plain threshold does not find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, binary_opening, label

from lungreg.spatial.geometry import Grid

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """A scan and where lung can be seen in it."""

    hu: NDArray[np.float32]
    lungs: BoolArray
    grid: Grid


Change = Callable[[Scan], Scan]


def _body(scan: Scan) -> BoolArray:
    """The largest dense piece with its lungs, filled slice by slice (the last axis)."""
    pieces, _ = label(binary_opening(scan.hu > -400))
    size = np.bincount(pieces.ravel())
    size[0] = 0
    body = (pieces == size.argmax()) | scan.lungs
    filled = [binary_fill_holes(body[..., k]) for k in range(body.shape[2])]
    return np.stack(filled, axis=2)


def _filled(value: float, where: Callable[[Scan], BoolArray]) -> Change:
    def change(scan: Scan) -> Scan:
        place = where(scan)
        hu = np.where(place, np.float32(value), scan.hu)
        return replace(scan, hu=hu, lungs=scan.lungs & ~place)

    return change


def _not_lungs(scan: Scan) -> BoolArray:
    return ~scan.lungs


def _around_the_body(scan: Scan) -> BoolArray:
    return ~_body(scan)


def _frame(scan: Scan) -> BoolArray:
    inside = np.zeros(scan.hu.shape, dtype=bool)
    inside[4:-4, 4:-4, 2:-2] = True
    return ~inside


def _outside_a_circle(scan: Scan) -> BoolArray:
    x, y = (np.linspace(-1, 1, n) for n in scan.hu.shape[:2])
    outside = np.hypot(x[:, None], y[None, :]) > 1
    return np.broadcast_to(outside[..., None], scan.hu.shape)


def _thinner(median_hu: float) -> Change:
    """Emphysema: air instead of tissue, so that lungs have this median density."""

    def change(scan: Scan) -> Scan:
        fall = float(np.median(scan.hu[scan.lungs])) - median_hu
        return replace(scan, hu=scan.hu - np.float32(fall) * (scan.lungs & (scan.hu < -500)))

    return change


def _smaller(factor: float) -> Change:
    def change(scan: Scan) -> Scan:
        affine = scan.grid.affine.copy()
        affine[:3] *= factor
        return replace(scan, grid=Grid(shape=scan.grid.shape, affine=affine))

    return change


def _one_white(scan: Scan) -> Scan:
    middle = np.nonzero(scan.lungs)[0].mean()
    white = scan.lungs & (np.arange(len(scan.hu)) < middle)[:, None, None]
    return replace(scan, hu=np.where(white, np.float32(35), scan.hu), lungs=scan.lungs & ~white)


def _windowed(low: float, high: float, top: float | None = None) -> Change:
    """Cut off to a window, and scaled to 0 to `top` in whole numbers, or to 0..1 for `top` 1."""

    def change(scan: Scan) -> Scan:
        hu = np.clip(scan.hu, low, high)
        if top is not None:
            hu = (hu - np.float32(low)) * np.float32(top / (high - low))
        return replace(scan, hu=np.round(hu) if top and top > 1 else hu)

    return change


def _cut_on_all_sides(scan: Scan) -> Scan:
    ends = [np.nonzero(scan.lungs)[axis] for axis in (0, 1)]
    x, y = (slice(int(end.min()) + 3, int(end.max()) - 2) for end in ends)
    hu, lungs = scan.hu[x, y], scan.lungs[x, y]
    return Scan(hu=hu, lungs=lungs, grid=scan.grid.cropped((x, y, slice(0, hu.shape[2]))))


def _then(*changes: Change) -> Change:
    def change(scan: Scan) -> Scan:
        for one in changes:
            scan = one(scan)
        return scan

    return change


HARD: Mapping[str, Change] = MappingProxyType(
    {
        "only lungs, -1024 around": _filled(-1024, _not_lungs),
        "only lungs, -3024 around": _filled(-3024, _not_lungs),
        "0 around the body": _filled(0, _around_the_body),
        "3071 around the body": _filled(3071, _around_the_body),
        "frame of zeros": _filled(0, _frame),
        "frame of 3071": _filled(3071, _frame),
        "circle, 0 around": _filled(0, _outside_a_circle),
        "circle, -2000 around": _filled(-2000, _outside_a_circle),
        "emphysema": _thinner(-975),
        "child": _smaller(0.3),
        "larger child": _smaller(0.4),
        "one lung white": _one_white,
        "window -600..400": _windowed(-600, 400),
        "window -600..400 as 0..1": _windowed(-600, 400, 1),
        "window -1000..400 as 0..255": _windowed(-1000, 400, 255),
        "all values as 0..1": _windowed(-1024, 3071, 1),
        "small field of view": _cut_on_all_sides,
        "only lungs of a child": _then(_filled(-1024, _not_lungs), _smaller(0.35)),
        "frame of zeros and emphysema": _then(_filled(0, _frame), _thinner(-975)),
        "one lung white as 0..255": _then(_one_white, _windowed(-1000, 400, 255)),
    }
)
