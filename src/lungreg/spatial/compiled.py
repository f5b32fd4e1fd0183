"""Loops that numba compiles (`pip install lungreg[fast]`): twice to ten times as fast on a CPU.

PyTorch's operations do the same where numba is missing, and on GPUs: what uses this module is
imported only where `spatial.threads.has_numba` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Sums may be reordered; that values are finite is not taken for granted.
_RELAXED = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compiled at its first call, and kept on disk where there is a folder for it.

    What it calls is `inlined`, or `compiled_as_written`.
    """
    return _compiled(function, fastmath=_RELAXED)


def inlined(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `compiled`, and put into each function that calls it.

    Else it has a machine code of its own and one in each caller, which may round otherwise: the
    process that compiles would use the one, and those that read the callers from disk the other.
    """
    return _compiled(function, fastmath=_RELAXED, forceinline=True)


def compiled_as_written(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """As `compiled`, with each operation rounded alone and in the order in which it stands."""
    return _compiled(function, fastmath=set())


def _compiled(function: Callable[_P, _R], **options: Any) -> Callable[_P, _R]:
    options |= {"nogil": True, "error_model": "numpy"}
    made: Callable[_P, _R]
    try:
        made = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        made = numba.njit(**options)(function)
    return made
