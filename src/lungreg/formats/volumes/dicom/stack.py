"""The frames of a DICOM series as one stack: which belong to it, and where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lungreg.errors import DataError
from lungreg.formats.placement import Placement, Remark, right_angled, rounding_mm
from lungreg.formats.volumes.dicom.frames import Frame
from lungreg.spatial.geometry import RAS_TO_LPS, FloatArray, Grid

_MAX_UNEVEN = 0.05
_DECIMAL_MM, _MAX_DECIMAL = 0.1, 0.2
"""Positions rounded to a tenth of a mm are even, and never as far off as by a missing slice."""
_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-3
_SAME_TIME_S = 2.0
_SLICES_OF_A_PASS = 3
"""At least; of fewer, numbers may fall so by chance."""
_MOST_KINDS = 3
"""Of scales in a series whose slices are all stored alike but for a few; PET scales each."""
_COUNTED = ("AcquisitionNumber", "FrameAcquisitionNumber")
_APART = "put each in a folder of its own"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """The slices of a volume in order."""

    frames: list[Frame]
    """By place along the normal of the slices."""
    placement: Placement
    """Of the volume whose axes are columns, rows and slices."""


def stack_frames(frames: Sequence[Frame]) -> Stack:
    """Order the frames of a series and find where they lie.

    Copies of a file, by their SOP instance and place, are dropped: some tools that take names out
    give all slices one instance, or none.

    Raises:
        DataError: Frames of different size, spacing or direction, of several acquisitions, phases
            or reconstructions, in one place, unevenly spaced, or of a tilted gantry.
    """
    kept = list({(f.uid, f.index, *f.position.round(3)): f for f in frames}.values())
    first = kept[0]
    _require_alike(kept)
    normal = np.cross(*first.orientation)
    kept.sort(key=lambda frame: float(frame.position @ normal))
    _require_one_pass(kept, normal)
    positions = np.array([frame.position for frame in kept])
    step = _step(positions, normal)
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[0] * first.spacing_mm[1]
    affine[:3, 1] = first.orientation[1] * first.spacing_mm[0]
    affine[:3, 2], affine[:3, 3] = step, positions[0]
    shape = (first.size[1], first.size[0], len(kept))
    _require_no_tilt(affine, shape, normal)
    placed = right_angled(RAS_TO_LPS @ affine, shape)
    odd = (*_copies(len(frames) - len(kept)), *_scales(kept), *_projections(kept))
    return Stack(
        frames=kept,
        placement=Placement(affine=placed.affine, remarks=(*odd, *placed.remarks)),
    )


def _copies(count: int) -> tuple[Remark, ...]:
    text = f"{count} of the slices are there twice (one SOP instance): the copies were left out"
    return (Remark(code="copies", text=text),) if count else ()


def _projections(frames: Sequence[Frame]) -> tuple[Remark, ...]:
    kinds = [frame.projection for frame in frames if frame.projection is not None]
    if not kinds:
        return ()
    text = (
        f"{len(kinds)} of {len(frames)} slices were made by projection ({kinds[0]}): what they "
        "show may lie centimetres off; take the series that they were made from"
    )
    return (Remark(code="projection", text=text),)


def _scales(frames: Sequence[Frame]) -> tuple[Remark, ...]:
    """A remark where the slices of a CT are not stored alike, which scanners do not do."""
    kinds = Counter(frame.scale for frame in frames)
    if len(kinds) == 1 or len(kinds) > _MOST_KINDS:
        return ()
    rest = len(frames) - max(kinds.values())
    text = (
        f"{rest} of {len(frames)} slices have another rescale slope or intercept than the rest: "
        "each was read by its own; are they of one series?"
    )
    return (Remark(code="scales", text=text),)


def _require_alike(frames: Sequence[Frame]) -> None:
    first = frames[0]
    without = sum(not frame.is_scaled for frame in frames)
    if 0 < without < len(frames):
        msg = "all slices of a series say how their values are scaled, or none does"
        got = f"{without} of {len(frames)} without RescaleIntercept"
        raise DataError(msg, got=got, mend="export the series again; nothing is assumed")
    sizes = {frame.size for frame in frames}
    if len(sizes) > 1:
        msg = "the slices of a series have one number of rows and columns"
        raise DataError(msg, got=sorted(sizes)[:3], mend=f"they are of several volumes: {_APART}")
    turned = max(np.abs(frame.orientation - first.orientation).max() for frame in frames)
    if turned > _SAME_DIRECTION:
        msg = "the slices of a series have one orientation (ImageOrientationPatient)"
        got = f"directions that differ by {turned:.3g}"
        raise DataError(msg, got=got, mend=f"they are of several volumes: {_APART}")
    spacings = np.array([frame.spacing_mm for frame in frames])
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if ((high - low) > _SAME_SPACING * low).any():
        msg = "the slices of a series have one PixelSpacing"
        got = f"{low.tolist()} to {high.tolist()} mm"
        raise DataError(msg, got=got, mend=f"they are of several volumes: {_APART}")


def _require_one_pass(frames: Sequence[Frame], normal: FloatArray) -> None:
    """Refuse slices of two breaths or phases, which would be taken as one scan."""
    msg = "the slices of a series are of one acquisition, phase and reconstruction"
    for name in sorted({name for frame in frames for name in frame.passes}):
        slices = Counter(frame.passes.get(name, "") for frame in frames)
        # A scanner that stops for each slice may count each as an acquisition.
        if len(slices) > 1 and (max(slices.values()) > 1 or name not in _COUNTED):
            got = f"{len(slices)} values of {name}"
            mend = f"{_APART}; parts of one breath are joined by dcm2niix -m y"
            raise DataError(msg, got=got, mend=mend)
    places = np.array([frame.position @ normal for frame in frames])
    doubles = int((np.diff(places) < 1e-3).sum())
    if doubles:
        got = f"{doubles} that lie where another does"
        raise DataError(msg, got=got, mend=f"the slices are evenly spaced in each: {_APART}")
    times = [frame.time_s for frame in frames if frame.time_s is not None]
    if len(times) == len(frames) and _goes_to_and_fro(np.array(times)):
        got = "times of acquisition (AcquisitionTime) that go to and fro along the body"
        raise DataError(msg, got=got, mend=_APART)
    numbers = [frame.number for frame in frames if frame.number is not None]
    if len(numbers) == len(frames) and (passes := _interleaved_passes(numbers)):
        got = f"{passes} runs of InstanceNumber, each over the whole length of the body"
        raise DataError(msg, got=got, mend=_APART)


def _interleaved_passes(numbers: Sequence[int]) -> int:
    """How many runs of numbers take turns along the body, one behind the other; 0 for one run."""
    for count in range(2, len(numbers) // _SLICES_OF_A_PASS + 1):
        runs = sorted((min(run), max(run)) for run in (numbers[k::count] for k in range(count)))
        if all(before[1] < after[0] for before, after in pairwise(runs)):
            return count
    return 0


def _goes_to_and_fro(times: FloatArray) -> bool:
    rising = (np.maximum.accumulate(times) - times).max()
    falling = (times - np.minimum.accumulate(times)).max()
    return bool(min(rising, falling) > _SAME_TIME_S)


def _step(positions: FloatArray, normal: FloatArray) -> FloatArray:
    """(3,) mm from one slice to the next."""
    if len(positions) < 2:
        return normal
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    even = positions[0] + np.arange(len(positions))[:, None] * step
    spacing_mm, gap_mm = float(np.linalg.norm(step)), float(np.abs(positions - even).max())
    allowed_mm = max(_MAX_UNEVEN * spacing_mm, min(_DECIMAL_MM, _MAX_DECIMAL * spacing_mm))
    if spacing_mm == 0 or gap_mm > allowed_mm:
        msg = "the slices of a series are evenly spaced, without gaps or doubles"
        got = f"{gap_mm:.2f} mm off"
        raise DataError(msg, got=got, mend="add the missing slices or remove doubles")
    return np.asarray(step)


def _require_no_tilt(affine: FloatArray, shape: tuple[int, int, int], normal: FloatArray) -> None:
    step = affine[:3, 2]
    drift_mm = float(np.linalg.norm(step - (step @ normal) * normal) * (shape[2] - 1))
    if drift_mm > rounding_mm(Grid(shape=shape, affine=affine)):
        msg = "the slices of a series are stacked at right angles"
        got = f"a tilted gantry ({drift_mm:.2f} mm from the first slice to the last)"
        raise DataError(msg, got=got, mend="resample the series first, as dcm2niix does")
