"""Loops that numba compiles (`pip install lungreg[fast]`): twice to ten times as fast on a CPU.

PyTorch's operations do the same where numba is missing, and on GPUs: what uses this module is
imported only where `spatial.threads.has_numba` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Sums may be reordered; that values are finite is not taken for granted.
_RELAXED = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compiled at its first call, and kept on disk where there is a folder for it."""
    try:
        made = numba.njit(cache=True, nogil=True, fastmath=_RELAXED, error_model="numpy")(function)
    except RuntimeError:
        made = numba.njit(nogil=True, fastmath=_RELAXED, error_model="numpy")(function)
    return made
