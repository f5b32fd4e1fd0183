"""Round displacements before they are written: no packing shortens the noise of their last bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP_MM = 2.0**-7
"""Distance between the values that are kept: files are less than half as large, and no component is
changed by more than half of it, 0.004 mm, and no displacement by more than 0.007 mm."""


def rounded(displacement_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest multiples of `STEP_MM`; what is not finite stays as it is."""
    step = np.float32(STEP_MM)
    return np.asarray(np.rint(displacement_mm / step) * step, dtype=np.float32)
