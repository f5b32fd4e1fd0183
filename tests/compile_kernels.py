"""Compile the package's kernels once, before test processes side by side would each do so.

numba keeps what it compiles beside the installed package; an installation begins without it.
`python -m tests.compile_kernels` registers a small pair and inverts the transform, for which all
of them run.
"""

from __future__ import annotations

import torch

from lungreg.config import Quality, Refine
from lungreg.registration.model_free import model_free_estimate
from lungreg.registration.pair import read_pair
from lungreg.registration.register import register_pair
from lungreg.spatial.inversion import invert
from lungreg.testing import MemoryStage
from tests.small_cases import put_case

if __name__ == "__main__":
    stage = MemoryStage()
    pair = read_pair(stage, put_case(stage, "a"))
    cpu = torch.device("cpu")
    done = register_pair(
        pair,
        model_free_estimate(Refine(preset="fast"), cpu, seed=0),
        hu_window=(-1000.0, 500.0),
        alignment="world",
        thresholds=Quality(),
        device=cpu,
    )
    invert(done.transform, pair.moving.grid)
