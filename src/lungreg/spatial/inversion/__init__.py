"""Invert a transform: exactly for single points, or as a transform on a grid fine enough."""

from __future__ import annotations

from lungreg.spatial.inversion.inverse import MAX_MM, MEAN_MM, Inverse, invert, invert_points

__all__ = ["MAX_MM", "MEAN_MM", "Inverse", "invert", "invert_points"]
