"""Find the same tissue in both scans at distinctive places, to know how far off a transform is."""

from __future__ import annotations

from lungreg.registration.correspondences.estimate import LandmarkEstimate, estimate_landmarks

__all__ = ["LandmarkEstimate", "estimate_landmarks"]
