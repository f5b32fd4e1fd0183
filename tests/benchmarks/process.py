"""A command of `lungreg` as a process of its own: what it takes, imports included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a command took."""

    cpu_s: float
    """User and system seconds."""
    wall_s: float
    peak_gb: float
    """Most memory at once."""


def run_lungreg(*words: str) -> Used:
    """Run `lungreg` with these words, on one thread.

    Raises:
        RuntimeError: It ended with an error.
    """
    start = time.perf_counter()
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-m", "lungreg", *words], env=surroundings)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        msg = f"lungreg {words[0]} ended with {process.returncode}"
        raise RuntimeError(msg)
    return Used(
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=time.perf_counter() - start,
        peak_gb=used.ru_maxrss * 1024 / 1e9,
    )
