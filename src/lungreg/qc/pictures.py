"""Draw the pictures of a case's page from its arrays.

Volumes are cut first and everything is computed on slices, so that a case costs a fraction of a
second whatever its size.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungreg.qc.colours import DIFFERENCE, DIVERGING, FOLDED, LENGTH, Pixels, grey
from lungreg.qc.grid_lines import grid_lines
from lungreg.qc.landmark_marks import LandmarkMark, mark_landmarks
from lungreg.qc.outlines import UNITS_PER_MM, mask_outline
from lungreg.qc.place_marks import PlaceMarks, mark_places
from lungreg.qc.planes import Layout, Plane, View, lay_out
from lungreg.spatial.geometry import FloatArray

if TYPE_CHECKING:
    from lungreg.registration.correspondences import LandmarkEstimate
    from lungreg.registration.images import PairImages
    from lungreg.registration.landmark_places import LandmarkPlaces

BRIGHTEST_HU = 150.0
"""Shown as white, so that lung vessels stay visible; darkest is the window's lower end."""
DIFFERENCE_HU = 500.0
"""Upper end of the difference maps' scale: one for before, after, all views and all cases."""
JACOBIAN_SPAN = 3.0
"""The Jacobian map reaches from 1 / this to this, evenly in the logarithm."""

LONGEST_PX = 440
"""Longer side of the largest picture."""

_SMALLER = 0.7
"""Size of the pictures that are seen small, as a share of the others'."""
_DIMMED = 0.3
_MOST_MARKED = 300
"""Folded voxels of a slice up to which each is circled: more are seen without."""

Slice = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ViewPictures:
    """One plane of one case. Pictures are `data:` URIs, lines the `d` of SVG paths."""

    plane: Plane
    note: str
    edges: tuple[str, str, str, str]
    """Body direction at the left, right, top and bottom edge."""
    height_mm: float
    width_mm: float
    fixed: str
    aligned: str
    warped: str
    difference_before: str
    difference_after: str
    displacement: str
    """Length of the displacement in colour."""
    jacobian: str
    fixed_outline: str
    aligned_outline: str
    warped_outline: str
    fold_outline: str
    """Around folded voxels, where they are too few to be seen without."""
    grid_lines: str
    """Where the coordinates of `x + u(x)` are multiples of `GRID_MM`."""
    folded: int
    """Voxels of the Jacobian map where the map folds."""
    places: tuple[PlaceMarks, ...]
    """Distinctive places near the slice."""
    landmarks: tuple[LandmarkMark, ...]
    """Landmarks near the slice."""

    @property
    def view_box(self) -> str:
        """The SVG `viewBox` that paths are drawn in."""
        size = self.width_mm * UNITS_PER_MM, self.height_mm * UNITS_PER_MM
        return f"0 0 {size[0]:.0f} {size[1]:.0f}"


@dataclass(frozen=True, kw_only=True)
class CasePictures:
    """All pictures of one case with their scales."""

    views: tuple[ViewPictures, ...]
    window_hu: tuple[float, float]
    """Shown as black and as white."""
    difference_hu: float
    """Upper end of the difference maps' scale."""
    displacement_mm: float
    """Upper end of the displacement's scale, the same in all views: of the lungs, where found."""
    tilt_deg: float
    """Largest angle between a voxel axis and the body axis that it is shown as, in degrees."""
    masked: bool
    """Whether the Jacobian is shown inside the lungs only."""


def draw_case(
    images: PairImages,
    places: LandmarkEstimate | None = None,
    landmarks: LandmarkPlaces | None = None,
    *,
    longest_px: int = LONGEST_PX,
) -> CasePictures:
    """Cut and paint the three views of a case.

    Slices are those of `planes.lay_out`. The views of a case have one scale in pixels per mm.

    Args:
        images: The arrays of the case.
        places: Distinctive places to mark, with their estimated errors.
        landmarks: Landmarks to mark, with their errors.
        longest_px: Longer side of the largest picture.
    """
    masks = images.aligned_mask, images.warped_mask
    layout = lay_out(images.grid, images.fixed_mask, masks)
    shifts = [_shift(images, view, layout) for view in layout.views]
    longest_mm = _longest_mm(images, layout, shifts)
    masked = images.fixed_mask is not None and bool(images.fixed_mask.any())
    pixel_mm = max(max(view.size_mm) for view in layout.views) / longest_px
    views = tuple(
        _draw(
            images,
            view,
            shift,
            longest_mm,
            pixel_mm,
            masked=masked,
            places=mark_places(view, places),
            landmarks=mark_landmarks(view, landmarks),
        )
        for view, shift in zip(layout.views, shifts, strict=True)
    )
    low, high = images.hu_window
    return CasePictures(
        views=views,
        window_hu=(low, min(high, BRIGHTEST_HU)),
        difference_hu=min(DIFFERENCE_HU, high - low),
        displacement_mm=longest_mm,
        tilt_deg=layout.tilt_deg,
        masked=masked,
    )


def shade(values: Slice, hu_window: tuple[float, float]) -> Slice:
    """Grey levels 0 to 1 of a slice of the windowed image, white at `BRIGHTEST_HU`."""
    low, high = hu_window
    return np.asarray(values * (high - low) / (min(high, BRIGHTEST_HU) - low), dtype=np.float32)


def difference(fixed: Slice, moving: Slice, hu_window: tuple[float, float]) -> Slice:
    """Absolute difference, 0 to 1 for 0 to `DIFFERENCE_HU` (the window, where that is less)."""
    low, high = hu_window
    scale = (high - low) / min(DIFFERENCE_HU, high - low)
    return np.asarray(np.abs(fixed - moving) * scale, dtype=np.float32)


def paint_jacobian(jacobian: Slice, mask: Slice | None, background: Pixels) -> Pixels:
    """Colours (H, W, 3) of a Jacobian map: diverging around 1, folded voxels in `FOLDED`.

    Args:
        jacobian: (H, W) determinant of the Jacobian.
        mask: (H, W) positive where it is shown; everywhere where None.
        background: (H, W) grey levels elsewhere, shown dimmed.
    """
    logarithm = np.log(np.clip(np.nan_to_num(jacobian, nan=1.0), 1e-6, None))
    colours = DIVERGING.paint(0.5 + logarithm / (2.0 * np.log(JACOBIAN_SPAN)))
    colours[_folded(jacobian)] = FOLDED
    if mask is not None:
        dim = np.rint(background[..., None] * _DIMMED).astype(np.uint8)
        colours = np.where(mask[..., None] > 0, colours, dim)
    return np.asarray(colours)


def _draw(
    images: PairImages,
    view: View,
    shift: FloatArray,
    longest_mm: float,
    pixel_mm: float,
    *,
    masked: bool,
    places: tuple[PlaceMarks, ...],
    landmarks: tuple[LandmarkMark, ...],
) -> ViewPictures:
    window, size, small = images.hu_window, _size(view, pixel_mm), _size(view, pixel_mm / _SMALLER)
    fixed, aligned, warped, jacobian = (
        view.cut(volume)
        for volume in (images.fixed, images.aligned, images.warped, images.jacobian)
    )
    mask = view.cut(images.fixed_mask) if masked and images.fixed_mask is not None else None
    folded = _folded(jacobian) if mask is None else _folded(jacobian) & (mask > 0)
    count = int(np.count_nonzero(folded))
    greys = [grey(_resized(shade(image, window), size)) for image in (fixed, aligned, warped)]
    before, after = (difference(fixed, moving, window) for moving in (aligned, warped))
    volume_map = paint_jacobian(jacobian, mask, grey(shade(fixed, window)))
    return ViewPictures(
        plane=view.plane,
        note=view.note,
        edges=view.edges,
        height_mm=view.size_mm[0],
        width_mm=view.size_mm[1],
        fixed=_data_uri(greys[0]),
        aligned=_data_uri(greys[1]),
        warped=_data_uri(greys[2]),
        difference_before=_data_uri(DIFFERENCE.paint(_resized(before, small))),
        difference_after=_data_uri(DIFFERENCE.paint(_resized(after, small))),
        displacement=_data_uri(LENGTH.paint(_resized(_length(shift) / longest_mm, small))),
        jacobian=_data_uri(_enlarged(volume_map, size), sharp=True),
        fixed_outline=_outline(view, images.fixed_mask),
        aligned_outline=_outline(view, images.aligned_mask),
        warped_outline=_outline(view, images.warped_mask),
        fold_outline=mask_outline(folded, view.pixel_mm) if count <= _MOST_MARKED else "",
        grid_lines=grid_lines(view, shift),
        folded=count,
        places=places,
        landmarks=landmarks,
    )


def _longest_mm(images: PairImages, layout: Layout, shifts: Sequence[FloatArray]) -> float:
    """Upper end of the displacement's scale: what 99.5 % of the lungs on the slices stay below.

    Beyond the lungs the field is continued, and may be longest where nothing is registered.
    Without lungs on any slice all that is shown counts.
    """
    lengths = [_length(shift) for shift in shifts]
    inside: list[Slice] = []
    if images.fixed_mask is not None:
        masks = [view.cut(images.fixed_mask) > 0 for view in layout.views]
        inside = [length[mask] for length, mask in zip(lengths, masks, strict=True) if mask.any()]
    shown = inside or [length.ravel() for length in lengths]
    return _round_up(max(float(np.percentile(length, 99.5)) for length in shown))


def _size(view: View, pixel_mm: float) -> tuple[int, int]:
    """Width and height of a picture in pixels."""
    height_mm, width_mm = view.size_mm
    return max(round(width_mm / pixel_mm), 1), max(round(height_mm / pixel_mm), 1)


def _folded(jacobian: Slice) -> NDArray[np.bool_]:
    return np.asarray(~(jacobian > 0))


def _shift(images: PairImages, view: View, layout: Layout) -> FloatArray:
    """(3, H, W) displacement of a slice in mm along the canonical voxel axes."""
    components = np.stack([view.cut(component) for component in images.dense_mm])
    turn = layout.to_axes @ images.linear
    return np.asarray(np.einsum("ij,jhw->ihw", turn, np.nan_to_num(components)))


def _length(shift: FloatArray) -> Slice:
    return np.asarray(np.linalg.norm(shift, axis=0), dtype=np.float32)


def _outline(view: View, mask: NDArray[np.bool_] | None) -> str:
    return "" if mask is None else mask_outline(view.cut(mask), view.pixel_mm)


def _resized(values: Slice, size: tuple[int, int]) -> Slice:
    """A slice at (width, height) pixels, smooth."""
    image = Image.fromarray(np.nan_to_num(values).astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)


def _enlarged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Colours at (width, height) pixels or as they are where that is more, voxels kept apart.

    A folded voxel neither blurs nor drops out.
    """
    height, width = pixels.shape[:2]
    at_least = max(size[0], width), max(size[1], height)
    return np.asarray(Image.fromarray(pixels).resize(at_least, Image.Resampling.NEAREST))


def _data_uri(pixels: Pixels, *, sharp: bool = False) -> str:
    """JPEG; `sharp` keeps the colours of single pixels."""
    buffer, subsampling = io.BytesIO(), "4:4:4" if sharp else "4:2:0"
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80, subsampling=subsampling)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _round_up(length_mm: float) -> float:
    """To the next multiple of 5 mm, at least 5, so that scales read well."""
    return max(5.0, 5.0 * float(np.ceil(length_mm / 5.0)))
