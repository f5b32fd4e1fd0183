"""Two ellipsoid lungs on an oblique grid, whose true alignment is known."""

from __future__ import annotations

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff

from lungreg.registration.alignment import initial_alignment
from lungreg.spatial.geometry import Grid, apply_affine

SIZE = (64, 56, 72)
SPACING_MM = (3.0, 4.0, 5.0)
SCALE = np.array([1.05, 0.95, 1.2])
SHIFT_MM = np.array([6.0, -9.0, 14.0])
LOW_MM, HIGH_MM = np.array([-45.0, -50.0, -100.0]), np.array([50.0, 45.0, 90.0])
AXIS_TURNS = {
    "same": [[0, 1], [1, 1], [2, 1]],
    "flipped": [[0, -1], [1, 1], [2, -1]],
    "turned": [[2, -1], [0, 1], [1, -1]],
}


def rotation():
    """A turn about two axes, so that no grid axis is a world axis."""
    a, b = np.deg2rad(20), np.deg2rad(-15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def oblique_grid(centre_ras=(10.0, -20.0, 300.0)):
    """An oblique anisotropic grid about a place in the world."""
    affine = np.eye(4)
    affine[:3, :3] = rotation() @ np.diag(SPACING_MM)
    affine[:3, 3] = np.array(centre_ras) - affine[:3, :3] @ ((np.array(SIZE) - 1) / 2)
    return Grid(shape=SIZE, affine=affine)


def box_scan(scale=1.0, shift_mm=0.0, rows=slice(None)):
    """Image, mask and grid of two ellipsoid lungs scaled and shifted along the grid's axes."""
    grid = oblique_grid()
    index = np.indices(SIZE).reshape(3, -1).T.astype(float)
    local = (grid.to_world(index) - grid.centre_ras) @ rotation()
    inner = ((local - shift_mm) / scale - (LOW_MM + HIGH_MM) / 2) / ((HIGH_MM - LOW_MM) / 2)
    lungs = (np.linalg.norm(inner, axis=1) < 1).reshape(SIZE)
    image = np.where(lungs, 0.15, 0.7).astype(np.float32)
    image += np.random.default_rng(5).normal(0, 0.02, SIZE).astype(np.float32)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array([[0.0, 0.0, rows.start or 0]]))[0]
    part = lungs[..., rows]
    return image[..., rows], Grid(shape=part.shape, affine=affine), part.astype(np.uint8)


def reordered(image, grid, mask, turn):
    """The same scan with its axes in another order and direction."""
    turn = np.array(turn)
    affine = grid.affine @ inv_ornt_aff(turn, image.shape)
    image, mask = (np.ascontiguousarray(apply_orientation(a, turn)) for a in (image, mask))
    return image, Grid(shape=image.shape, affine=affine), mask


def aligned(fixed, moving, mode, *, masks=True):
    """`initial_alignment` of two (image, grid, mask)."""
    return initial_alignment(
        *fixed[:2],
        *moving[:2],
        fixed_mask=fixed[2] if masks else None,
        moving_mask=moving[2] if masks else None,
        mode=mode,
    )


def true_affine(scale, shift_mm):
    """Scale and shift along the test grid's axes about its centre, in the world."""
    turn, centre = rotation(), oblique_grid().centre_ras
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(scale) @ turn.T
    affine[:3, 3] = centre + turn @ shift_mm - affine[:3, :3] @ centre
    return affine


def distance_mm(first, second):
    """Largest distance that two affines carry a point of the fixed lungs' box apart."""
    corners = np.array(np.meshgrid(*zip(LOW_MM, HIGH_MM, strict=True))).reshape(3, -1).T
    points = corners @ rotation().T + oblique_grid().centre_ras
    gap = apply_affine(first, points) - apply_affine(second, points)
    return np.linalg.norm(gap, axis=1).max()
