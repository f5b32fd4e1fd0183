"""One case as a matplotlib figure, for a notebook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from lungreg.metrics.measures import DICE, ETRE, FOLDS, TRE
from lungreg.qc.colours import DIFFERENCE
from lungreg.qc.measures import number, words
from lungreg.qc.pictures import DIFFERENCE_HU, difference, shade
from lungreg.qc.planes import View, lay_out
from lungreg.records import CaseResult

if TYPE_CHECKING:
    from lungreg.registration.images import PairImages

_FIXED, _MOVING = "#00b7c3", "#ff9f1c"
_COLUMNS = ("fixed", "moving, registered", "difference before", "difference after")
_SCANS = ("fixed: breathing out", "moving: breathing in", "difference")
_RAMP = LinearSegmentedColormap.from_list("difference", DIFFERENCE.anchors)

Slice = NDArray[np.float32]


class CaseFigure(Figure):
    """A figure that a notebook shows without pyplot, and with it once."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def case_figure(images: PairImages, result: CaseResult | None = None) -> Figure:
    """Coronal, sagittal and axial slice of both scans, and their difference before and after.

    The slices are those of the case's page (`planes.lay_out`), in mm, by the radiological
    convention, with the lungs of the fixed scan and of the moving one as outlines. The colour bar
    gives the absolute difference in HU.

    Args:
        images: The arrays of the case.
        result: Gives the title its case id and metrics.
    """
    title = None if result is None else _title(result)
    return _figure(images, _COLUMNS, (13.0, 9.5), title)


def scans_figure(images: PairImages, case_id: str) -> Figure:
    """Coronal, sagittal and axial slice of both scans before any registration.

    The slices are those of `case_figure`, the moving scan resampled onto the fixed one's grid.

    Args:
        images: The arrays of the case with the identity for its transform.
        case_id: The title.
    """
    return _figure(images, _SCANS, (10.0, 9.5), case_id)


def _figure(
    images: PairImages, columns: Sequence[str], size_inch: tuple[float, float], title: str | None
) -> Figure:
    """A row for each view, a column for each picture, the last ones differences with their bar."""
    figure = CaseFigure(figsize=size_inch, layout="constrained")
    masks = images.aligned_mask, images.warped_mask
    layout = lay_out(images.grid, images.fixed_mask, masks)
    grid = figure.subplots(len(layout.views), len(columns), squeeze=False)
    for axes, view in zip(grid, layout.views, strict=True):
        differences = _draw_row(axes.tolist(), images, view)
    bar = figure.colorbar(differences, ax=[*grid[:, 2:].flat], extend="max", shrink=0.6, aspect=40)
    bar.set_label("absolute difference, HU", fontsize=9)
    for axis, name in zip(grid[0], columns, strict=True):
        axis.set_title(name, fontsize=10)
    if title is not None:
        figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def _draw_row(axes: list[Axes], images: PairImages, view: View) -> AxesImage:
    """Draw a view's pictures, as many as there are axes: fixed, moving, difference before, after.

    Returns:
        One of the differences, for the colour bar.
    """
    window = images.hu_window
    fixed, aligned, warped = (
        view.cut(volume) for volume in (images.fixed, images.aligned, images.warped)
    )
    _show(axes[0], view, shade(fixed, window))
    _show(axes[1], view, shade(warped, window))
    drawn = [
        _show_difference(axis, view, fixed, moving, window)
        for axis, moving in zip(axes[2:], (aligned, warped), strict=False)
    ]
    outlines = (None, images.warped_mask, images.aligned_mask, images.warped_mask)
    for axis, moving in zip(axes, outlines, strict=False):
        _outline(axis, view, images.fixed_mask, _FIXED, 1.6)
        _outline(axis, view, moving, _MOVING, 0.9)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].set_ylabel(f"{view.plane} ({view.note})", fontsize=9)
    _letter_edges(axes[0], view)
    return drawn[-1]


def _show(axis: Axes, view: View, picture: Slice) -> None:
    axis.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, extent=_extent(view))


def _show_difference(
    axis: Axes, view: View, fixed: Slice, moving: Slice, hu_window: tuple[float, float]
) -> AxesImage:
    low, high = hu_window
    top_hu = min(DIFFERENCE_HU, high - low)
    apart_hu = difference(fixed, moving, hu_window) * top_hu
    return axis.imshow(apart_hu, cmap=_RAMP, vmin=0.0, vmax=top_hu, extent=_extent(view))


def _extent(view: View) -> tuple[float, float, float, float]:
    height_mm, width_mm = view.size_mm
    return 0.0, width_mm, height_mm, 0.0


def _outline(
    axis: Axes, view: View, mask: NDArray[np.bool_] | None, colour: str, width: float
) -> None:
    if mask is None:
        return
    inside = view.cut(mask)
    if min(inside.shape) < 2 or inside.min() == inside.max():
        return
    rows_mm, columns_mm = (
        (np.arange(count) + 0.5) * size
        for count, size in zip(inside.shape, view.pixel_mm, strict=True)
    )
    axis.contour(columns_mm, rows_mm, inside, levels=[0.5], colors=[colour], linewidths=[width])


def _letter_edges(axis: Axes, view: View) -> None:
    places = ((0.03, 0.5), (0.97, 0.5), (0.5, 0.97), (0.5, 0.03))
    for letter, (x, y) in zip(view.edges, places, strict=True):
        axis.text(
            x,
            y,
            letter,
            color="white",
            fontsize=8,
            ha="center",
            va="center",
            transform=axis.transAxes,
        )


def _title(result: CaseResult) -> str:
    parts = [f"{result.case_id}: {words(result)}"]
    for measure in (DICE, TRE, ETRE, FOLDS):
        value = number(result, measure.name)
        if value is not None:
            parts.append(f"{measure.short} {measure.text(value)} {measure.unit}".strip())
    return ", ".join(parts)
