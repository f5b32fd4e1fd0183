"""Estimate the transform of a pair with a trained network."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lungreg.config import Preprocessing
from lungreg.learning.forward_pass import ON_GPU, ForwardPass
from lungreg.learning.preprocessing import prepare_pair
from lungreg.registration.pair import Estimate, Estimated, Pair
from lungreg.spatial.displacement import to_mm
from lungreg.spatial.geometry import FloatArray, Transform


def network_estimate(
    network: nn.Module,
    settings: Preprocessing,
    device: torch.device,
    *,
    mixed_precision: bool = False,
) -> Estimate:
    """An estimate of `T` by a trained network.

    Args:
        network: On `device`, in evaluation mode.
        settings: Preprocessing as the network was trained with.
        device: Where to compute.
        mixed_precision: Whether a GPU may compute in fewer than 32 bits, see `ForwardPass`.
    """
    forward = ForwardPass(network, ON_GPU if mixed_precision and device.type == "cuda" else ())

    def estimate(pair: Pair, affine: FloatArray) -> Estimated:
        prepared = prepare_pair(pair, affine, settings, images_alone=True, device=device)
        with torch.inference_mode():
            fixed, moving = (x[None].to(device) for x in (prepared.fixed, prepared.moving))
            displacement_mm = to_mm(forward(fixed, moving), prepared.grid)
        array = displacement_mm[0].cpu().numpy().astype(np.float32)
        transform = Transform(affine=affine, displacement_mm=array, grid=prepared.grid)
        return Estimated(transform=transform)

    return estimate
