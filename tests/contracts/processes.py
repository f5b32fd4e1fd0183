"""Other processes for the contract suites: real ones, started afresh, killed for real."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from typing import Any

from lungreg.errors import AlreadyExistsError
from lungreg.records import ModelCard


def race(worker: Callable[..., Any], *arguments: Any, processes: int = 3) -> list[Any]:
    """What `worker(barrier, *arguments)` returned in each of several processes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with context.Pool(processes, initializer=_keep, initargs=(barrier,)) as pool:
        jobs = [pool.apply_async(_run, (worker, arguments)) for _ in range(processes)]
        return [job.get(timeout=120) for job in jobs]


_kept: list[Barrier] = []


def _keep(barrier: Barrier) -> None:
    """A barrier reaches a process only while it starts."""
    _kept.append(barrier)


def _run(worker: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return worker(_kept[0], *arguments)


def create_all(barrier: Barrier, stage: Any, names: Sequence[str]) -> list[str]:
    """The names that this process was the first to create."""
    won = []
    for name in names:
        barrier.wait(timeout=60)
        try:
            stage.create(name, str(os.getpid()).encode())
        except AlreadyExistsError:
            continue
        won.append(name)
    return won


def add_models(barrier: Barrier, registry: Any, count: int) -> list[str]:
    """The versions that this process was given."""
    barrier.wait(timeout=60)
    card = ModelCard(name="raced")
    return [registry.add(card, os.urandom(100)).version for _ in range(count)]


def start_python(code: str, argument: Any) -> subprocess.Popen[bytes]:
    """A Python process that runs `code` with the unpickled argument as `given`."""
    preamble = "import pickle, sys; given = pickle.load(sys.stdin.buffer)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", preamble + code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(argument))
    process.stdin.close()
    return process
