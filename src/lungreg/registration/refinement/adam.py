"""Adam (Kingma and Ba 2015, arXiv:1412.6980) on the displacement of the nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from lungreg.spatial.threads import has_numba, run_shares

_MOMENTS = (0.9, 0.999)
_TINY = 1e-8


class Adam:
    """Adam on one tensor.

    Equal to `torch.optim.Adam`, whose import of a compiler takes a second of a fast registration.
    On a CPU with numba in one pass over the numbers, where PyTorch's operations take seven.
    """

    def __init__(self, parameter: Tensor) -> None:
        self._mean, self._square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        self._count = 0

    def move(self, parameter: Tensor, gradient: Tensor, length: float) -> None:
        """Move the parameter in place against its gradient, by about `length`."""
        self._count += 1
        first, second = _MOMENTS
        scale = (1 - second**self._count) ** 0.5
        step = -length / (1 - first**self._count)
        if parameter.device.type == "cpu" and has_numba():
            self._move_at_once(parameter, gradient, scale, step)
            return
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        divisor = self._square.sqrt().div_(scale).add_(_TINY)
        parameter.addcdiv_(self._mean, divisor, value=step)

    def _move_at_once(self, parameter: Tensor, gradient: Tensor, scale: float, step: float) -> None:
        from lungreg.registration.refinement.adam_kernel import adam_share

        tensors = (parameter, gradient.contiguous(), self._mean, self._square)
        numbers, slopes, mean, square = (tensor.view(-1).numpy() for tensor in tensors)
        factors = (*_MOMENTS, scale, step, _TINY)

        def share(first: int, last: int) -> None:
            adam_share(first, last, numbers, slopes, mean, square, factors)

        run_shares(share, len(numbers))
