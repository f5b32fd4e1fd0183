"""Choose the slices of a case to show, and turn them as radiologists look at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from lungreg.spatial.geometry import Box, FloatArray, Grid, flip_lps
from lungreg.spatial.mask_box import mask_box

MARGIN_MM = 20.0
"""Margin of the pictures around the lungs."""

Mask = NDArray[np.bool_]

_LUNG_OF_BOX = 0.25
"""Middle of one lung, as a share of the width of both lungs' box."""
_LUNG_OF_VOLUME = 0.32
"""The same share of a scan's width, which holds the chest wall too."""


class Plane(StrEnum):
    """The three standard planes; the value is how a page names them."""

    CORONAL = "Coronal"
    SAGITTAL = "Sagittal"
    AXIAL = "Axial"


_ACROSS = {Plane.CORONAL: 1, Plane.SAGITTAL: 0, Plane.AXIAL: 2}
_EDGES = {
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
    Plane.AXIAL: ("R", "L", "A", "P"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """One slice of a volume as it lies on the screen, by the radiological convention.

    The patient's right is on the left of coronal and axial pictures, anterior on the left of
    sagittal ones; up is superior, in axial pictures anterior. Directions are those of the voxel
    axes closest to the body's: an oblique slice stays one, nothing is resampled.
    """

    plane: Plane
    note: str
    """The position of the slice, in words."""
    index: int
    """Position along `axis`, in canonical voxels."""
    box: Box
    """Canonical voxels shown along each axis; that of `axis` is not used."""
    orientation: NDArray[np.floating]
    """(3, 2) nibabel orientation from the grid's axes to the canonical ones."""
    canonical: Grid
    """The grid's voxels with axes in the order right, anterior, superior, as close as they get."""

    @property
    def spacing_mm(self) -> FloatArray:
        """(3,) along the canonical axes."""
        return self.canonical.spacing_mm

    @property
    def axis(self) -> int:
        """Canonical axis (0 right, 1 anterior, 2 superior) that the slice is across."""
        return _ACROSS[self.plane]

    @property
    def in_plane(self) -> tuple[int, int]:
        """Canonical axes that rows and columns run against: row 0 is the highest index."""
        columns, rows = (axis for axis in range(3) if axis != self.axis)
        return rows, columns

    @property
    def edges(self) -> tuple[str, str, str, str]:
        """Body direction at the left, right, top and bottom edge."""
        return _EDGES[self.plane]

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Height and width of a slice's pixel."""
        rows, columns = self.in_plane
        return float(self.spacing_mm[rows]), float(self.spacing_mm[columns])

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the slice."""
        rows, columns = (self.box[axis].stop - self.box[axis].start for axis in self.in_plane)
        return rows * self.pixel_mm[0], columns * self.pixel_mm[1]

    def project(self, points_ras: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points on the screen, and their distance from the slice.

        Args:
            points_ras: (N, 3) RAS mm.

        Returns:
            (N, 2) mm to the right and down from the slice's top left corner, and (N,) mm along the
            axis that the slice is across.
        """
        voxels = self.canonical.to_voxel(points_ras)
        rows, columns = self.in_plane
        at_mm = [
            (self.box[axis].stop - 0.5 - voxels[:, axis]) * self.spacing_mm[axis]
            for axis in (columns, rows)
        ]
        away_mm = np.abs(voxels[:, self.axis] - self.index) * self.spacing_mm[self.axis]
        return np.stack(at_mm, axis=1), np.asarray(away_mm)

    def cut(self, volume: NDArray[np.float32] | Mask) -> NDArray[np.float32]:
        """The slice (H, W) of a volume (X, Y, Z) on the grid, as it lies on the screen."""
        keep = list(self.box)
        keep[self.axis] = slice(self.index, self.index + 1)
        canonical = apply_orientation(volume, self.orientation)
        flat = np.squeeze(canonical[tuple(keep)], axis=self.axis)
        return np.ascontiguousarray(flat.T[::-1, ::-1], dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The three views of one case."""

    views: tuple[View, View, View]
    """Coronal, sagittal, axial."""
    to_axes: FloatArray
    """(3, 3) from a vector in RAS mm to its components in mm along the canonical voxel axes."""
    tilt_deg: float
    """Largest angle between a voxel axis and the body axis that it is shown as, in degrees."""


def lay_out(grid: Grid, mask: Mask | None, others: Iterable[Mask | None] = ()) -> Layout:
    """Choose the slices: middle of the lungs' box, the sagittal one through the middle of a lung.

    Coronal and axial slices pass through the middle of the mask's bounding box. There the
    sagittal one would show the heart, so it lies a quarter of the box's width from its right
    or left side, whichever shows more lung (right where equal). Without a mask, or with an empty
    one, the box is the volume.

    Args:
        grid: The fixed scan's grid.
        mask: (X, Y, Z) lungs of the fixed scan, which choose the slices.
        others: Masks that the pictures must not cut off; they widen the box shown.
    """
    orientation = io_orientation(grid.affine)
    canonical = _canonical(grid, orientation)
    lungs = None if mask is None or not mask.any() else apply_orientation(mask, orientation)
    turned = (apply_orientation(other, orientation) for other in others if other is not None)
    shown = _shown(canonical, lungs, turned)
    centre, side = _centre(canonical, lungs)
    coronal, sagittal, axial = (
        View(
            plane=plane,
            note=_note(canonical, axis, centre[axis], side),
            index=centre[axis],
            box=shown,
            orientation=orientation,
            canonical=canonical,
        )
        for plane, axis in _ACROSS.items()
    )
    tilt = np.arccos(np.clip(np.diag(canonical.directions), -1.0, 1.0)).max()
    return Layout(
        views=(coronal, sagittal, axial),
        to_axes=np.linalg.inv(canonical.directions),
        tilt_deg=float(np.rad2deg(tilt)),
    )


def _canonical(grid: Grid, orientation: NDArray[np.floating]) -> Grid:
    """The same voxels with axes in the order right, anterior, superior, as close as they get."""
    shape = [grid.shape[int(axis)] for axis in np.argsort(orientation[:, 0])]
    affine = grid.affine @ inv_ornt_aff(orientation, grid.shape)
    return Grid(shape=(shape[0], shape[1], shape[2]), affine=affine)


def _shown(canonical: Grid, lungs: Mask | None, others: Iterable[Mask]) -> Box:
    """The box of all masks and a margin; the whole volume where there are no lungs."""
    if lungs is None:
        nx, ny, nz = canonical.shape
        return slice(0, nx), slice(0, ny), slice(0, nz)
    margin = np.ceil(MARGIN_MM / canonical.spacing_mm).astype(int).tolist()
    return mask_box(reduce(np.logical_or, others, lungs), margin=margin)


def _centre(canonical: Grid, lungs: Mask | None) -> tuple[tuple[int, int, int], str]:
    """Index of the sagittal, coronal and axial slice, and what the sagittal one passes through."""
    if lungs is None:
        nx, ny, nz = canonical.shape
        x = nx - 1 - round(_LUNG_OF_VOLUME * (nx - 1))
        return (x, (ny - 1) // 2, (nz - 1) // 2), "right half"
    across, along, up = mask_box(lungs)
    inward = round(_LUNG_OF_BOX * (across.stop - 1 - across.start))
    left, right = across.start + inward, across.stop - 1 - inward
    is_left = np.count_nonzero(lungs[left]) > np.count_nonzero(lungs[right])
    x, side = (left, "left lung") if is_left else (right, "right lung")
    return (x, _middle(along), _middle(up)), side


def _middle(part: slice) -> int:
    return int(part.start + part.stop - 1) // 2


def _note(canonical: Grid, axis: int, index: int, side: str) -> str:
    """LPS position of a slice's middle along the body axis it is across, as our files have it."""
    middle = (np.array(canonical.shape, dtype=np.float64) - 1) / 2
    middle[axis] = index
    position = round(float(flip_lps(canonical.to_world(middle[None]))[0, axis]))
    where = f"{'xyz'[axis]} = {position} mm LPS".replace("-", "\N{MINUS SIGN}")
    return f"{side}, {where}" if axis == 0 else where
