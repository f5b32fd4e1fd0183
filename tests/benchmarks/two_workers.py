"""An epoch of training by one worker and by two, each on one thread, and their losses.

    python -m tests.benchmarks.two_workers --cases 8 --size 72 72 80 --epochs 2

On much smaller grids PyTorch computes one case alone in another way than two, and slower.
Prints the seconds of each epoch after the first, which reads the scans, their ratio, and how far
the losses of both are apart. Beside them, what the machine allows: the time of the network's own
steps in two processes at once that know nothing of each other, each with half of the batch, over
that in one with all of it. Cores share memory and caches, so that it is more than a half. Needs two
cores with nothing else on them.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lungreg.config import Network, parse_config
from lungreg.learning.network import build_network
from lungreg.sources.simulation import simulate_cohort
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from lungreg.workflows.train import train
from tests.benchmarks.kept import machine

BATCH, STEPS = 2, 4
SHAPE, SPACING_MM = (96, 80, 96), (3.3, 3.1, 3.4)


def main() -> None:
    """Train the same network both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8, help="to train on")
    parser.add_argument("--validation", type=int, default=2, help="cases to validate on")
    parser.add_argument("--size", type=int, nargs=3, default=[48, 48, 56])
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = asked.cases + asked.validation
        simulate_cohort(folder / "pairs", cases=made, seed=2, shape=SHAPE, spacing_mm=SPACING_MM)
        found = [measured(folder, asked, workers) for workers in (1, 2)]
    one, two = (row["epoch_s"] for row in found)
    once_s = steps_at_once_s(1, asked)
    apart = [abs(a - b) for a, b in zip(*(row["losses"] for row in found), strict=True)]
    Console().print_json(
        data={
            "machine": machine(),
            "workers": found,
            "two / one": round(min(two) / min(one), 3),
            "losses differ by": max(apart),
            "two / one that cores allow": round(steps_at_once_s(2, asked) / once_s, 3),
        }
    )


def measured(folder: Path, asked: argparse.Namespace, workers: int) -> dict[str, Any]:
    """Seconds and training losses of the epochs."""
    made = asked.cases + asked.validation
    names = [f"case_{number:03d}" for number in range(1, made + 1)]
    split = {"train": names[: asked.cases], "val": names[asked.cases :]}
    config = parse_config(
        {
            "backend": {"root": str(folder / f"stage-{workers}"), "tracking": False},
            "ingest": {"source": str(folder / "pairs")},
            "data": {"split": split},
            "preprocessing": {"spatial_size": asked.size},
            "train": {
                "workers": workers,
                "threads": 1,
                "epochs": asked.epochs,
                "batch_size": BATCH,
            },
        }
    )
    ingest(config)
    ends: list[float] = []

    def seen(progress: Progress) -> None:
        ends.append(time.perf_counter())

    done = train(config, on_progress=seen)
    took = [round(b - a, 2) for a, b in itertools.pairwise(ends[-asked.epochs :])]
    return {
        "workers": workers,
        "epoch_s": took,
        "losses": [epoch["loss"] for epoch in done.history],
    }


def steps_at_once_s(processes: int, asked: argparse.Namespace) -> float:
    """Seconds of some forward and backward passes, in so many processes that share the batch."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in range(2):  # the first time warms up
            shapes = [(BATCH // processes, 2, *asked.size)] * processes
            found = pool.map(_steps_s, shapes, chunksize=1)
    return max(found)


def _steps_s(shape: tuple[int, ...]) -> float:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build_network(Network())
    scans = torch.rand(shape)
    began = time.perf_counter()
    for _ in range(STEPS):
        network(scans).square().mean().backward()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
