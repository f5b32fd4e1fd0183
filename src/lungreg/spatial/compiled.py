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
    return _compiled(function, _RELAXED)


def compiled_as_written(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `compiled`, with each operation rounded alone and in the order in which it stands."""
    return _compiled(function, set())


def _compiled(function: Callable[_P, _R], relaxed: set[str]) -> Callable[_P, _R]:
    try:
        made = numba.njit(cache=True, nogil=True, fastmath=relaxed, error_model="numpy")(function)
    except RuntimeError:
        made = numba.njit(nogil=True, fastmath=relaxed, error_model="numpy")(function)
    return made
