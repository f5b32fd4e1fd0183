"""Lungs from a CT that comes without a mask, by threshold and shape.

The classical recipe (Hu, Hoffman and Reinhardt 2001, doi:10.1109/42.929615): air inside the body,
without the trachea, closed over vessels, the two sides apart. It is good enough to align and to
judge a registration by; it leaves out consolidated lung, which is no air.
"""

from __future__ import annotations

from lungreg.registration.lung_segmentation.chest import LEFT_LUNG, RIGHT_LUNG
from lungreg.registration.lung_segmentation.segmentation import (
    FoundLungs,
    search_lungs,
    segment_lungs,
)

__all__ = ["LEFT_LUNG", "RIGHT_LUNG", "FoundLungs", "search_lungs", "segment_lungs"]
