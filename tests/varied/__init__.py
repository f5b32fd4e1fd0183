"""Pairs with a known transform that do not look like what the optimiser was tuned on.

    case = make_varied("analytic", "none", 1)
    case.pair, case.with_masks              # what a registration gets
    case.error_mm(transform)                # (N,) distance from the truth at the landmarks, mm

Every pair differs by its seed in patient, motion (smooth breathing, irregular parts, the heart,
sliding at the chest wall), densities, fading vessels, kernels, doses and noise. A trouble from
`TROUBLES` comes on top.

`make_displaced(kind, base, seed)` displaces tissue as no smooth breath does (`DISPLACED`),
`make_wrong(kind, base, seed)` makes wrong inputs (`WRONG`: exchanged, mirrored, others), and
`make_error(name, case, seed)` puts a known error (`ERRORS`) on the true transform of a case.

Hold-out rule: tuning and setting of thresholds use a few seeds alone (`TUNED_SEEDS` in
docs/calibration.py); all others are held back (`is_held_back`), and figures that are reported come
from them.
"""

from __future__ import annotations

from docs.calibration import TUNED_SEEDS
from tests.varied.displaced import DISPLACED, make_displaced
from tests.varied.errors import ERRORS, make_error
from tests.varied.pairs import BASES, make_varied
from tests.varied.record import VariedCase
from tests.varied.source import available_bases
from tests.varied.troubles import TROUBLES
from tests.varied.wrong import WRONG, make_wrong

__all__ = [
    "BASES",
    "DISPLACED",
    "ERRORS",
    "TROUBLES",
    "WRONG",
    "VariedCase",
    "available_bases",
    "is_held_back",
    "make_displaced",
    "make_error",
    "make_varied",
    "make_wrong",
]


def is_held_back(seed: int) -> bool:
    """Whether a seed must not be used for tuning."""
    return seed not in TUNED_SEEDS
