"""The inverse of a true transform, by Newton's method at each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lungreg.spatial.geometry import FloatArray, Grid
from tests.varied.record import Truth

_START_MM = 8.0
_PROBE_MM = 0.1
_STEPS, _LONGEST_MM, _ENOUGH_MM = 25, 6.0, 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Inverse:
    """Carries points of the moving scan back to the fixed scan."""

    truth: Truth
    starts: NDArray[np.float64]
    """(S, 3) places of the fixed scan that the search begins at."""
    tree: cKDTree
    """Of where the truth carries them."""

    @classmethod
    def of(cls, truth: Truth, fixed: Grid) -> Inverse:
        """The inverse of a truth that is known over the fixed scan's grid."""
        counts = np.ceil(np.array(fixed.shape) * fixed.spacing_mm / _START_MM).astype(int)
        nodes = fixed.resized((int(counts[0]), int(counts[1]), int(counts[2])))
        starts = nodes.to_world(np.indices(nodes.shape, dtype=np.float64).reshape(3, -1).T)
        return cls(truth=truth, starts=np.asarray(starts), tree=cKDTree(truth(starts)))

    def __call__(self, points_ras: FloatArray) -> NDArray[np.float64]:
        target = np.asarray(points_ras, dtype=np.float64)
        found: NDArray[np.float64] = self.starts[self.tree.query(target)[1]].copy()
        for _ in range(_STEPS):
            missing = target - self.truth(found)
            open_ = np.flatnonzero(np.linalg.norm(missing, axis=1) > _ENOUGH_MM)
            if not len(open_):
                break
            found[open_] += self._step(found[open_], missing[open_])
        return found

    def _step(self, at: FloatArray, missing: FloatArray) -> NDArray[np.float64]:
        columns = [
            (self.truth(at + probe) - self.truth(at - probe)) / (2 * _PROBE_MM)
            for probe in np.eye(3) * _PROBE_MM
        ]
        step = np.linalg.solve(np.stack(columns, axis=2), missing[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        return np.asarray(step * np.minimum(1.0, _LONGEST_MM / np.maximum(length, 1e-9)))
