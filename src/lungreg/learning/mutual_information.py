"""Global mutual information of two scans, with its gradient by hand and in chunks.

Value and gradient are those of MONAI's `GlobalMutualInformationLoss`, whose memory grows with the
number of bins times that of voxels (0.6 GB for a case); here it is that of the scans and a chunk.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

Window = Literal["gaussian", "b-spline"]
BINS = 23
_CHUNK_VOXELS = 8192
"""On a CPU: so few that their weights stay near the processor."""
_CHUNK_ON_GPU = 1 << 18
"""25 MB of weights: few enough kernels that their start does not count."""
_SMOOTH = 1e-7
_PADDING_BINS = 2
"""At both ends, so that no cubic spline reaches beyond the bins."""


def negative_mutual_information(moved: Tensor, fixed: Tensor, window: Window) -> Tensor:
    """Negative mutual information in nats, the mean over a batch.

    Args:
        moved: (B, 1, X, Y, Z) in [0, 1]; the gradient is with respect to it.
        fixed: (B, 1, X, Y, Z) in [0, 1].
        window: The Parzen window of both densities: "gaussian", of half a bin's width (Qiu et al.
            2021, as in DeepReg), or "b-spline", cubic for `moved` and a box for `fixed` between the
            scan's least and largest value (Mattes et al. 2003), which are taken as constant.
    """
    function = _Gaussian if window == "gaussian" else _Spline
    pairs = zip(moved.flatten(1), fixed.flatten(1), strict=True)
    values = [function.apply(one, other) for one, other in pairs]  # type: ignore[no-untyped-call]
    return -torch.stack(values).mean()


class _Gaussian(torch.autograd.Function):
    """Mutual information of two scans (N,) under Gaussian windows."""

    @staticmethod
    def forward(context: Any, moved: Tensor, fixed: Tensor) -> Tensor:
        joint = moved.new_zeros(BINS, BINS)
        for part in _chunks(moved):
            joint.addmm_(_gaussian_weights(moved[part]), _gaussian_weights(fixed[part]).T)
        value, slopes = _information(joint / len(moved))
        context.save_for_backward(moved, fixed, slopes)
        return value

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        moved, fixed, slopes = context.saved_tensors
        result = torch.empty_like(moved)
        centres = torch.arange(BINS, dtype=moved.dtype, device=moved.device)
        # Of the weights the sum is 1: their derivatives are those of a softmax.
        scale = gradients[0] * 4 * (BINS - 1) / len(moved)
        for part in _chunks(moved):
            weights = _gaussian_weights(moved[part])
            pull = (slopes @ _gaussian_weights(fixed[part])).mul_(weights)
            middle = centres @ weights
            result[part] = (centres @ pull - middle * pull.sum(dim=0)) * scale
        # As of a clamp: what lies outside the range does not move.
        return result.mul_((moved >= 0) & (moved <= 1)), None


class _Spline(torch.autograd.Function):
    """Mutual information of two scans (N,) under a cubic spline and a box."""

    @staticmethod
    def forward(context: Any, moved: Tensor, fixed: Tensor) -> Tensor:
        place, width = _places(moved)
        low, far = place.floor(), place - place.floor()
        # A value half-way between two boxes belongs to both in equal parts.
        box, _ = _places(fixed)
        boxes = [_bins(edge) for edge in ((box - 0.5).ceil(), (box + 0.5).floor())]
        joint = moved.new_zeros(BINS * BINS)
        for offset, weight in zip(range(-1, 3), _spline(far), strict=True):
            bins = (_bins(low) + offset) * BINS
            for other in boxes:
                joint += torch.bincount(bins + other, weight, BINS * BINS) / 2
        value, slopes = _information(joint.view(BINS, BINS) / len(moved))
        context.save_for_backward(low, far, *boxes, slopes, 1 / (width * len(moved)))
        return value

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        low, far, first, second, slopes, scale = context.saved_tensors
        result = torch.zeros_like(far)
        for offset, slope in zip(range(-1, 3), _spline_slopes(far), strict=True):
            bins = (_bins(low) + offset) * BINS
            for other in (first, second):
                result += slopes.flatten()[bins + other] * slope / 2
        # The places at the ends are held there.
        inner = (low + far > _PADDING_BINS) & (low + far < BINS - _PADDING_BINS - 1)
        return result * inner * scale * gradients[0], None


def _chunks(values: Tensor) -> list[slice]:
    size = _CHUNK_VOXELS if values.device.type == "cpu" else _CHUNK_ON_GPU
    return [slice(start, start + size) for start in range(0, len(values), size)]


def _gaussian_weights(values: Tensor) -> Tensor:
    """(BINS, n) how much each value belongs to each bin; over the bins the sum is 1."""
    bins = torch.arange(BINS, dtype=values.dtype, device=values.device)
    away = values.clamp(0, 1).mul_(BINS - 1) - bins[:, None]
    # Half a bin is the standard deviation: twice the square of the distance in bins.
    weights = away.square_().mul_(-2).exp_()
    return weights.div_(weights.sum(dim=0))


def _information(joint: Tensor) -> tuple[Tensor, Tensor]:
    """Mutual information of a joint density (K, K), and its derivative by the density.

    The second density is that of the fixed scan, and not differentiated.
    """
    ours, other = joint.sum(dim=1), joint.sum(dim=0)
    apart = torch.outer(ours, other)
    ratio = (joint + _SMOOTH) / (apart + _SMOOTH)
    logarithm = (ratio + _SMOOTH).log()
    share = joint / ((ratio + _SMOOTH) * (apart + _SMOOTH))
    of_ours = -(share * ratio) @ other
    return (joint * logarithm).sum(), logarithm + share + of_ours[:, None]


def _places(values: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) where values lie among the bins, and the width of a bin."""
    least, most = values.min(), values.max()
    width = (most - least) / (BINS - 2 * _PADDING_BINS)
    # All values of a constant scan lie in the first bin.
    width = torch.where(width == 0, 1.0, width)
    place = values / width - (least / width - _PADDING_BINS)
    return place.clamp(_PADDING_BINS, BINS - _PADDING_BINS - 1), width


def _bins(places: Tensor) -> Tensor:
    """(N,) int64; what is no number, as of a network that diverged, is told by the weights."""
    return places.nan_to_num(_PADDING_BINS).long()


def _spline(far: Tensor) -> tuple[Tensor, ...]:
    """(N,) the cubic spline at the four bins around a place, from the one before last on."""
    near = 1 - far
    inner = [(4 - 6 * x.square() + 3 * x**3) / 6 for x in (far, near)]
    return near**3 / 6, *inner, far**3 / 6


def _spline_slopes(far: Tensor) -> tuple[Tensor, ...]:
    """(N,) the derivatives of `_spline` by the place."""
    near = 1 - far
    rising, falling = 1.5 * near.square() - 2 * near, 1.5 * far.square() - 2 * far
    return -near.square() / 2, falling, -rising, far.square() / 2
