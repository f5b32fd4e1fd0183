"""Register one pair in memory: alignment, transform, carried images, metrics. No files, no Ray."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lungreg.config import Alignment, Quality
from lungreg.metrics.verdict import Judgement
from lungreg.registration.alignment import InitialAlignment, align
from lungreg.registration.evaluation import Measured, measure
from lungreg.registration.images import PairImages, carry_moving, pair_images
from lungreg.registration.judgement import judge_pair
from lungreg.registration.lungs import LungsFrom
from lungreg.registration.pair import Estimate, Pair, require_size
from lungreg.spatial.geometry import Transform

Within = Callable[[str], AbstractContextManager[object]]
"""Makes the context that a part of the work, given by its name, is done in: it tells progress."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Registered:
    """One registered pair in memory."""

    transform: Transform
    alignment: InitialAlignment
    dense_mm: NDArray[np.float32]
    """(3, X, Y, Z) `u` on the fixed grid, RAS components in mm."""
    image: NDArray[np.float32]
    """(X, Y, Z) warped moving scan in its stored scale."""
    label: NDArray[Any] | None
    """(X, Y, Z) warped moving labels."""
    lungs_from: LungsFrom
    """Source of the fixed lungs: mask, threshold or none found."""
    notes: tuple[str, ...]
    """Warnings about how the transform was found."""
    field_s: float
    """Seconds from the arrays in memory to the final displacement."""
    measured: Measured
    """Metrics, further evidence, and the places that estimated errors come from."""
    judgement: Judgement
    images: PairImages
    """The arrays that the metrics were measured on and the case's page is drawn from."""


def register_pair(
    pair: Pair,
    estimate: Estimate,
    *,
    hu_window: tuple[float, float],
    alignment: Alignment,
    thresholds: Quality,
    device: torch.device,
    within: Within = nullcontext,
) -> Registered:
    """Register one pair.

    Args:
        pair: The case in memory.
        estimate: Finds `T`, given `A`: a network, an optimisation, or both.
        hu_window: HU that become 0 and 1 where images are compared.
        alignment: Choice of `A`.
        thresholds: Of the verdict.
        device: Where to compute.
        within: Told of the parts "lungs", "alignment", "transform" and "measures".

    Raises:
        DataError: A scan is not as large as one of a patient may be.
    """
    require_size(pair)
    started = time.perf_counter()
    with within("lungs"):
        # The pair keeps them: all that comes after uses them.
        _ = pair.fixed_lungs, pair.moving_lungs
    with within("alignment"):
        chosen = align(pair, hu_window, alignment)
    with within("transform"):
        estimated = estimate(pair, chosen.affine)
    transform, field_s = estimated.transform, time.perf_counter() - started
    with within("measures"):
        carried = carry_moving(pair, transform, device)
        images = pair_images(pair, transform, carried, hu_window=hu_window, device=device)
        measured = measure(pair, transform, images, device=device)
        measured, judgement = judge_pair(pair, measured, thresholds, hu_window=hu_window)
    return Registered(
        transform=transform,
        alignment=chosen,
        dense_mm=images.dense_mm,
        image=carried.scan.values,
        label=carried.label,
        lungs_from=pair.fixed_lungs.known_from,
        notes=estimated.notes,
        field_s=field_s,
        measured=measured,
        judgement=judgement,
        images=images,
    )
