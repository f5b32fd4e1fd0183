"""CPU seconds of each step of a case of 192 x 192 x 208 voxels beside the network, at one thread.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.one_case --folder DIR
    CUDA_LAUNCH_BLOCKING=1 python -m tests.benchmarks.one_case --folder DIR --device cuda

On a GPU they are wall seconds; with its launches blocking, each step's are its own.

The pair is simulated, and its own true displacement on the network's grid stands for what a network
finds, so that tissue matches and the figures of two commits can be compared: run it in both trees
with one `--folder`, in turn, where other work runs on the machine. Prints, for each function, the
least cumulated seconds of several repetitions, and the case's figures, and keeps them; not with
`--dry`.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from lungreg.backends import open_backend
from lungreg.config import Config, parse_config
from lungreg.devices import choose_device, keep_freed_memory
from lungreg.formats.transforms import decode_transform
from lungreg.learning.preprocessing import prepare_pair
from lungreg.qc.case_page import render_case
from lungreg.records import CaseResult, RegistrationJob
from lungreg.registration.case import register_case
from lungreg.registration.pair import Estimated, Pair, read_pair
from lungreg.sources.simulation import simulate_cohort
from lungreg.spatial.displacement import dense_displacement
from lungreg.spatial.geometry import FloatArray, Grid, Shape, Transform
from lungreg.spatial.total_displacement import without_affine
from lungreg.stores import Backend
from lungreg.stores.manifest import read_cases
from lungreg.workflows.ingest import ingest
from tests.benchmarks.gpu_goals import card
from tests.benchmarks.kept import keep, machine

SHAPE: Shape = (192, 192, 208)
EXTENT_MM = (336.0, 240.0, 364.0)
STEPS = (
    *("read_pair", "align", "prepare_pair", "carry_moving", "pair_images", "estimate_landmarks"),
    *("ssim", "ncc", "_overlap", "gather_evidence", "judge_pair", "write_outputs", "_write_page"),
)
"""Functions that together are a case."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the pair once, register it several times, print and keep the least of each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="kept from one run to the next")
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dry", action="store_true", help="do not keep the figures")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()  # as a worker of `infer` does
    config = settings(asked.folder)
    if not (asked.folder / "stage").exists():
        make_case(config, tuple(asked.shape))
    device = choose_device(asked.device)
    found = measure(config, asked.repeat, device)
    Console().print_json(data=found)
    if not asked.dry:
        on = {"machine": machine(1), "card": card(device)}
        keep({**on, "repeat": asked.repeat, **found}, "-one-case")


def settings(folder: Path) -> Config:
    """One case on a stage in a folder."""
    return parse_config(
        {
            "backend": {"root": str(folder / "stage"), "tracking": False},
            "ingest": {"source": str(folder / "pairs"), "threads": 1},
        }
    )


def make_case(config: Config, shape: Shape) -> None:
    """Simulate the case and take it in; its chest has the same size in any number of voxels."""
    x, y, z = (size / n for size, n in zip(EXTENT_MM, shape, strict=True))
    pairs = Path(str(config.ingest.source))
    simulate_cohort(pairs, cases=1, seed=1, shape=shape, spacing_mm=(x, y, z))
    ingest(config)


def measure(config: Config, repeat: int, device: torch.device) -> dict[str, Any]:
    """Least seconds of each step, the figures of the case, and the voxels of its fixed scan."""
    backend = open_backend(config.backend)
    (case,) = read_cases(backend.stage, None)
    shape = read_pair(backend.stage, case).fixed.grid.shape
    once = registration(backend, config, device)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    once()  # compiles what is compiled at its first call
    least: dict[str, float] = {"register_case, not profiled": np.inf}
    for _ in range(repeat):
        start = clock()
        once()
        whole = clock() - start
        least["register_case, not profiled"] = min(least["register_case, not profiled"], whole)
        profile = cProfile.Profile(clock)
        row = profile.runcall(once)
        for name, seconds in steps(profile).items():
            least[name] = min(least.get(name, np.inf), seconds)
    least["beside the network and the estimated landmark error"] = (
        least["register_case, not profiled"]
        - least.pop("estimate")
        - least["estimate_landmarks"]
        + least["prepare_pair"]
    )
    figures = {name: value for name, value in vars(row).items() if isinstance(value, float)}
    name = "cpu_s" if device.type == "cpu" else "wall_s"
    rounded = {step: round(seconds, 3) for step, seconds in least.items()}
    return {"shape": shape, name: rounded, "figures": figures}


def registration(
    backend: Backend, config: Config, device: torch.device
) -> Callable[[], CaseResult]:
    """Registers the case: reads, measures, writes, draws."""
    (case,) = read_cases(backend.stage, None)
    truth = decode_transform(backend.stage.read(str(case.displacement)), np.eye(4))

    def estimate(pair: Pair, affine: FloatArray) -> Estimated:
        prepared = prepare_pair(
            pair, affine, config.preprocessing, images_alone=True, device=device
        )
        return Estimated(transform=known_transform(truth, affine, prepared.grid))

    job = job_of(config)
    return lambda: register_case(
        backend.stage, case, estimate, job, device=device, render=render_case
    )


def job_of(config: Config) -> RegistrationJob:
    """A run of no model and one case."""
    return RegistrationJob(
        run_id="one-case",
        config=config,
        card=None,
        splits={},
        alignment=config.preprocessing.alignment,
        provenance={},
    )


def known_transform(truth: Transform, affine: FloatArray, grid: Grid) -> Transform:
    """The true transform as a network finds it: beside an alignment, on the network's grid."""
    field = without_affine(affine, dense_displacement(truth, grid), grid)
    return Transform(affine=affine, displacement_mm=field, grid=grid)


def steps(profile: cProfile.Profile) -> dict[str, float]:
    """Cumulated seconds of the named functions of lungreg, and of the whole."""
    wanted = {*STEPS, "register_case", "estimate"}
    found: dict[str, float] = {}
    for (file, _, name), (_, _, _, seconds, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if name in wanted and ("lungreg" in file or "one_case" in file):
            found[name] = max(found.get(name, 0.0), seconds)
    return found


if __name__ == "__main__":
    main()
