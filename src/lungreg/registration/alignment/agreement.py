"""How well two scans agree under an affine: inner structures, outlines of lungs, overlap."""

from __future__ import annotations

import torch
from torch import Tensor

from lungreg.registration.alignment.level import Level
from lungreg.spatial.geometry import FloatArray

_NO_OVERLAP = 0.02
_LOST_WEIGHT = 0.25


def agreement(level: Level, affine: FloatArray) -> float:
    """Score of an affine, from -1 to 1.

    The scans are compared only where both show something. There it is the mean of two figures: how
    much nearer the features are than those of unrelated places (1 where they are equal, 0 for
    chance), and, where both lungs are known, their Dice. A cut scan is no worse for its cut, but
    overlap that is lost, against all that the smaller of both could have, costs a quarter of its
    share: none wins by what it leaves out.

    Args:
        level: Both scans.
        affine: (4, 4) from fixed to moving RAS mm.
    """
    volume, shown, lungs = level.seen(affine)
    overlap = float(shown.mean())
    if overlap < _NO_OVERLAP:
        return -1.0
    score = _match(level.fixed, level.at_places(volume), shown)
    if lungs.any() and level.fixed_lungs.any():
        score = (score + _soft_dice(level.fixed_lungs * shown, lungs)) / 2
    return max(-1.0, score - _LOST_WEIGHT * max(0.0, 1 - overlap / level.most_overlap))


def _match(fixed: Tensor, moving: Tensor, weight: Tensor) -> float:
    """1 less the mean squared distance of features over that of places paired at random."""
    share = weight / weight.sum()
    distance = (fixed - moving).square().sum(dim=0) @ share
    means = [values @ share for values in (fixed, moving)]
    by_chance = (means[0] - means[1]).square().sum()
    for values, mean in zip((fixed, moving), means, strict=True):
        by_chance = by_chance + (values - mean[:, None]).square().sum(dim=0) @ share
    return float(1 - distance / by_chance) if float(by_chance) > 0 else 0.0


def _soft_dice(x: Tensor, y: Tensor) -> float:
    return float(2 * torch.minimum(x, y).sum() / (x.sum() + y.sum()).clamp(min=1e-6))
