"""The inverse of a transform: of points, exactly; as a transform, as fine as it needs to be."""

from __future__ import annotations

from lungreg.spatial.inversion.inverse import MAX_MM, MEAN_MM, Inverse, invert, invert_points

__all__ = ["MAX_MM", "MEAN_MM", "Inverse", "invert", "invert_points"]
