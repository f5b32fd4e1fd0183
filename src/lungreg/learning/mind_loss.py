"""The loss by self-similarity: both scans look alike, however bright each of them is."""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor

from lungreg.config import Loss
from lungreg.learning.loss_input import LossInput
from lungreg.registration.refinement.features import REACH, self_similarity


def mind(case: LossInput, settings: Loss) -> Tensor | None:
    """Mean squared difference of MIND-SSC between the fixed and the warped scan.

    Of Heinrich et al. 2013 (doi:10.1007/978-3-642-40811-3_24), at the network's spacing, over the
    voxels where both scans have all the data that the features look at; 0 where there is none.
    """
    with torch.no_grad():
        fixed = self_similarity(case.fixed)
        shown = _without_rim(case.both_shown).to(fixed)
    distance = (fixed - self_similarity(case.warped)).square().mean(dim=(0, 1))
    value: Tensor = (distance * shown).sum() / shown.sum().clamp(min=1)
    return value


def _without_rim(shown: Tensor) -> Tensor:
    """A bool volume (X, Y, Z) without what lies as near to its outside as the features reach."""
    hidden = (~shown).float()[None, None]
    for dim in range(3):
        size, padding = [1, 1, 1], [0, 0, 0]
        size[dim], padding[dim] = 2 * REACH + 1, REACH
        hidden = nnf.max_pool3d(hidden, size, stride=1, padding=padding)
    return hidden[0, 0] == 0
