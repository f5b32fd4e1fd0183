"""A cohort from files to files, an epoch and `register` on one device, each beside its limit.

    nox -s gpu                                            # on a machine with a GPU
    python -m tests.benchmarks.gpu_goals --device cpu --cases 4 --shape 48 40 48 --size 16 --dry

A cohort is registered by a pool of Ray actors that share the GPU: cold, from the call to its end
with all that actors import and load; warm, the time in which as many further pairs end.

Limits are what the device needs for the network's operations at the rate that it multiplies
matrices at, and for the scans' bytes at the rate that it copies memory at, both measured here
first; files, CPUs and all else come on top. Figures are kept in `tests/benchmarks/results/`, with
the card and the date.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

import lungreg
from lungreg.config import Config, load_config
from lungreg.config.section import MODEL_NAME
from lungreg.devices import choose_device
from lungreg.learning.network import build_network
from lungreg.sources.simulation import simulate_cohort
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from lungreg.workflows.train import train
from tests.benchmarks.gpu_choices import forward_passes, least_seconds, uploads_ms
from tests.benchmarks.gpu_use import GpuUse
from tests.benchmarks.kept import RESULTS, machine

GOALS_S = {"infer, warm": 2.3, "infer, cold": 15.0, "epoch": 4.0}
"""On one H100 with 16 cores, 20 pairs of 192 x 192 x 208 and an epoch of 16."""
_BASES = 2
_FORWARD_AND_BACKWARD = 3
"""Operations of a training step, in those of a forward pass."""


def main() -> None:
    """Make the pairs, measure everything, print and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cases", type=int, default=20, help="half of those that are made")
    parser.add_argument("--workers", default="auto", help="infer.workers; 0 is without Ray")
    parser.add_argument("--epoch-cases", type=int, default=16)
    parser.add_argument("--shape", type=int, nargs=3, default=(192, 192, 208))
    parser.add_argument("--size", type=int, nargs="*", default=[96, 96, 104], help="of the network")
    parser.add_argument("--presets", nargs="*", default=["default", "best"])
    choices = argparse.BooleanOptionalAction
    parser.add_argument("--choices", action=choices, default=True, help="ways of a forward pass")
    parser.add_argument("--pairs", type=Path, help="made by `make_pairs`; made anew without")
    parser.add_argument("--into", type=Path, help="the file of the record")
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    file = asked.into or RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-gpu.json"
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "asked": {k: v for k, v in vars(asked).items() if k not in ("dry", "into", "pairs")},
        "card": card(choose_device(asked.device)),
        "steps": {},
    }
    with tempfile.TemporaryDirectory() as name:
        for part in measured(Path(name), asked):
            record["steps"] |= part.pop("steps", {})
            record |= part
            # Kept as it grows: the machine may be lent for a short time.
            if not asked.dry:
                file.write_text(json.dumps(record, indent=1) + "\n")
    Console().print_json(data=record)


def measured(folder: Path, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Seconds of each step beside its limit and, where there is one, its goal; then choices."""
    device = choose_device(asked.device)
    pairs = asked.pairs or folder / "pairs"
    if asked.pairs is None:
        make_pairs(pairs, 2 * asked.cases, tuple(asked.shape))
    config = write_config(folder, asked, pairs)
    ingest(config)
    limits = limits_s(config, asked, device)
    yield limits.pop("rates")
    for name, figures in steps(folder, asked, config, pairs):
        beside = {"limit_s": limits.get(name), "goal_s": GOALS_S.get(name)}
        yield {"steps": {name: {**figures, **beside}}}
    yield {"uploads_ms": uploads_ms(tuple(asked.shape), device)}
    if asked.choices:
        yield {"forward_passes": forward_passes(config, device)}


def steps(
    folder: Path, asked: argparse.Namespace, config: Config, pairs: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each step, its seconds `s` and, of the warm cohort, for how much of them the GPU waits."""
    first, *_, last = epochs_s(config)
    yield from (("first epoch", seconds(first)), ("epoch", seconds(last)))
    with_model = f"infer.model={MODEL_NAME}"
    half = f"infer.cases=[{','.join(names_of(asked.cases))}]"
    model = load_config(folder / "lungreg.yaml", [with_model, half])
    yield "infer, cold", seconds(timed(lambda: infer(model)))
    model = load_config(folder / "lungreg.yaml", [with_model])
    with GpuUse(choose_device(asked.device)) as use:
        start, end = last_half(model, asked.cases)
    waiting = use.waiting_pct(start, end)
    yield "infer, warm", {**seconds(end - start), "gpu_waits_pct": waiting}
    fixed, moving = (str(pairs / f"scans/case_001_{breath}.nii.gz") for breath in ("exp", "insp"))
    pair = lungreg.PairFiles(fixed=fixed, moving=moving)
    for preset in asked.presets:
        out = folder / preset
        took = timed(lambda p=preset, out=out: lungreg.register(pair, out, preset=p))  # type: ignore[misc]
        yield f"register {preset}", seconds(took)


def make_pairs(folder: Path, cases: int, shape: tuple[int, int, int]) -> None:
    """Copies of two simulated pairs, in each one with a voxel of its own: none is the same."""
    spacing = (336 / shape[0], 240 / shape[1], 364 / shape[2])
    simulate_cohort(folder, cases=_BASES, seed=1, shape=shape, spacing_mm=spacing)
    shutil.rmtree(folder / "displacements", ignore_errors=True)
    shutil.rmtree(folder / "keypoints", ignore_errors=True)
    scans = itertools.product(range(_BASES + 1, cases + 1), ("exp", "insp"))
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda scan: copy_scan(folder, *scan), scans))


def copy_scan(folder: Path, number: int, breath: str) -> None:
    """One of the copies, with its mask."""
    base = f"case_{(number - 1) % _BASES + 1:03d}_{breath}.nii.gz"
    name = f"case_{number:03d}_{breath}.nii.gz"
    scan = nib.load(folder / "scans" / base)
    data = np.asarray(scan.dataobj).copy()  # type: ignore[attr-defined]
    data[0, 0, 0] = number
    nib.save(nib.Nifti1Image(data, scan.affine, scan.header), folder / "scans" / name)  # type: ignore[attr-defined]
    shutil.copy(folder / "lungMasks" / base, folder / "lungMasks" / name)


def write_config(folder: Path, asked: argparse.Namespace, pairs: Path) -> Config:
    """All pairs but a few to train on, in one process; pages as for a user."""
    names = names_of(2 * asked.cases)
    training = names[: max(1, min(asked.epoch_cases, len(names) - 1))]
    settings = {
        "backend": {"root": str(folder / "stage"), "tracking": False},
        "ingest": {"source": str(pairs)},
        "data": {"split": {"train": training, "val": names[-1:]}},
        "preprocessing": {"spatial_size": (asked.size * 3)[:3]},
        "train": {"workers": 0, "epochs": 3, "device": asked.device},
        "infer": {
            "workers": asked.workers if asked.workers == "auto" else int(asked.workers),
            "device": asked.device,
        },
    }
    (folder / "lungreg.yaml").write_text(json.dumps(settings))
    return load_config(folder / "lungreg.yaml")


def names_of(cases: int) -> list[str]:
    """The ids of so many cases."""
    return [f"case_{number:03d}" for number in range(1, cases + 1)]


def last_half(config: Config, cases: int) -> tuple[float, float]:
    """From when to when the last so many cases of a run end, its workers long at work."""
    ends: list[float] = []

    def seen(progress: Progress) -> None:
        ends.append(time.perf_counter())

    infer(config, on_progress=seen)
    return ends[-1 - cases], ends[-1]


def epochs_s(config: Config) -> list[float]:
    """Seconds of each epoch, validation included; only the first one reads scans."""
    ends: list[float] = []

    def seen(progress: Progress) -> None:
        ends.append(time.perf_counter())

    train(config, on_progress=seen)
    return [end - start for start, end in itertools.pairwise(ends)]


def limits_s(config: Config, asked: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Seconds below which no step can be on this device; and the rates that they follow from."""
    flops = forward_flops(config)
    # A GPU computes the network in 16 bits.
    size, dtype = (1024, torch.float32) if device.type == "cpu" else (8192, torch.float16)
    a = torch.rand(size, size, device=device, dtype=dtype)
    memory = torch.rand(16 * size, size, device=device)
    rate = 2 * size**3 / least_seconds(lambda: a @ a, device)
    bandwidth = 2 * 4 * memory.numel() / least_seconds(memory.clone, device)
    # Both scans as 16-bit integers in, the warped one out.
    moved = 3 * 2 * int(np.prod(asked.shape)) / bandwidth
    one = flops / rate
    trained = len(config.data.split.train)  # type: ignore[arg-type]
    infer_s = round(asked.cases * (one + moved), 4)
    return {
        "rates": {
            "network_gflop": round(flops / 1e9, 1),
            "gflop_per_s": round(rate / 1e9, 1),
            "memory_gb_per_s": round(bandwidth / 1e9, 1),
        },
        "infer, cold": infer_s,
        "infer, warm": infer_s,
        "epoch": round((_FORWARD_AND_BACKWARD * trained + 1) * one, 4),
        **{f"register {preset}": round(moved, 6) for preset in asked.presets},
    }


def forward_flops(config: Config) -> int:
    """Operations of one forward pass of the network, counted without computing anything."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build_network(config.network)
        network(torch.empty(1, 2, *config.preprocessing.spatial_size))
    return int(counter.get_total_flops())


def seconds(taken: float) -> dict[str, Any]:
    """The figure of a step."""
    return {"s": round(taken, 2)}


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def card(device: torch.device) -> str:
    """The name of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


if __name__ == "__main__":
    main()
