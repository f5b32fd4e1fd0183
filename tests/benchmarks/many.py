"""Cost per case of a cohort of thousands of small cases: is it the same at the end as at the start?

    python -m tests.benchmarks.many --cases 2000

Pairs of 48 x 48 x 52 voxels with a tiny network, and a part of them without a model. Prints seconds
per case in the first and the last quarter of `ingest` and `infer`, the growth of this process's
memory, the seconds that `infer --resume` of a finished run, `results` and `report` take, and how
often the stage was asked for what; keeps them in `tests/benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import psutil
import yaml
from rich.console import Console

from lungreg.backends import open_backend
from lungreg.backends.local.registry import StageModelRegistry
from lungreg.backends.local.results import ParquetResultTable
from lungreg.backends.local.stage import LocalStage
from lungreg.config import Config, load_config
from lungreg.config.section import MODEL_NAME
from lungreg.sources.simulation import simulate_cohort
from lungreg.stores import Backend, FileInfo
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from lungreg.workflows.report import report
from lungreg.workflows.results import query_results
from lungreg.workflows.train import train
from tests.benchmarks.kept import keep, machine

BASES = 8
SHAPE, SPACING_MM = (48, 48, 52), (6.3, 6.3, 5.8)
_IDS = [f"case_{number:06d}" for number in range(1, BASES + 1)]
SETTINGS: dict[str, Any] = {
    "backend": {"root": "./stage", "tracking": False},
    "ingest": {"source": "./pairs", "threads": 1},
    "data": {"split": {"train": _IDS[:-2], "val": _IDS[-2:]}},
    "preprocessing": {"spatial_size": [16, 16, 16], "alignment": "world"},
    "network": {"num_channel_initial": 4},
    "train": {"workers": 0, "threads": 1, "epochs": 1, "device": "cpu"},
    "infer": {"workers": 0, "threads": 1, "device": "cpu", "qc": False},
}


def main() -> None:
    """Make the cases, run every step, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--without-model", type=int, default=200, help="cases optimised as well")
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_cases(Path(name), asked.cases)
        found = measure(Path(name), asked.without_model)
    record = {"machine": machine(), "cases": asked.cases, **found}
    Console().print_json(data=record)
    if not asked.dry:
        keep(record, "-many")


@dataclass(frozen=True)
class CountingStage(LocalStage):
    """A folder stage that counts what it is asked for."""

    asked: Counter[str] = field(default_factory=Counter, kw_only=True)
    counting: threading.Lock = field(default_factory=threading.Lock, kw_only=True)

    def count(self, **asked: int) -> None:
        with self.counting:  # ingest writes from several threads
            self.asked.update(asked)

    def read(self, name: str) -> bytes:
        self.count(read=1)
        return super().read(name)

    def write(self, name: str, data: bytes) -> None:
        self.count(write=1, bytes_written=len(data))
        super().write(name, data)

    def download(self, name: str, path: Path) -> None:
        self.count(download=1)
        super().download(name, path)

    def upload(self, path: Path, name: str) -> None:
        self.count(upload=1)
        super().upload(path, name)

    def exists(self, name: str) -> bool:
        self.count(exists=1)
        return super().exists(name)

    def list(self, folder: str = "") -> list[FileInfo]:
        found = super().list(folder)
        self.count(list=1, files_listed=len(found))
        return found


def make_cases(folder: Path, count: int) -> None:
    """Copies of a few simulated pairs, in each one with voxels of its own; and a configuration."""
    simulate_cohort(folder / "made", cases=BASES, seed=5, shape=SHAPE, spacing_mm=SPACING_MM)
    bases = [f"case_{number:03d}" for number in range(1, BASES + 1)]
    for number in range(count):
        base, case = bases[number % BASES], f"case_{number + 1:06d}"
        for breath in ("exp", "insp"):
            scan = nib.load(folder / "made" / "scans" / f"{base}_{breath}.nii.gz")
            data = np.asarray(scan.dataobj)  # type: ignore[attr-defined]
            data[0, 0, 0] = number % 1000
            data[0, 0, 1] = number // 1000
            _save(data, scan, folder / "pairs" / "scans" / f"{case}_{breath}.nii.gz")
            mask = folder / "pairs" / "lungMasks" / f"{case}_{breath}.nii.gz"
            mask.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "made" / "lungMasks" / f"{base}_{breath}.nii.gz", mask)
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(SETTINGS))


def _save(data: np.ndarray, like: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, like.affine, like.header), file)


def measure(folder: Path, without_model: int) -> dict[str, Any]:
    """Every step in turn, as a user would call it."""
    config = load_config(folder / "lungreg.yaml")
    backend = counting(config)
    found: dict[str, Any] = {}
    with watched(found, "ingest", backend) as seen:
        ingest(config, backend=backend, on_progress=seen)
    train(config, backend=backend)
    with_model = load_config(folder / "lungreg.yaml", [f"infer.model={MODEL_NAME}"])
    with watched(found, "infer", backend) as seen:
        done = infer(with_model, backend=backend, on_progress=seen)
    with watched(found, "infer --resume of a finished run", backend) as seen:
        infer(with_model, resume=done.run_id, backend=backend, on_progress=seen)
    with watched(found, "results", backend):
        query_results(config, "SELECT * FROM results", backend=backend)
    with watched(found, "report", backend):
        report(config, done.run_id, backend=backend)
    if without_model:
        some = ",".join(f"case_{number:06d}" for number in range(1, without_model + 1))
        alone = load_config(
            folder / "lungreg.yaml", [f"infer.cases=[{some}]", "refine.preset=fast"]
        )
        with watched(found, "infer without a model", backend) as seen:
            infer(alone, backend=backend, on_progress=seen)
    return found


def counting(config: Config) -> Backend:
    """The configuration's stores on a stage that counts."""
    made = open_backend(config.backend)
    stage = CountingStage(Path(made.stage.uri("x")).parent, fsync=False)
    return replace(
        made, stage=stage, results=ParquetResultTable(stage), models=StageModelRegistry(stage)
    )


@contextmanager
def watched(
    found: dict[str, Any], step: str, backend: Backend
) -> Iterator[Callable[[Progress], None]]:
    """Time a step, and each of its cases by its progress."""
    times, process = [time.perf_counter()], psutil.Process()
    memory, asked = [process.memory_info().rss], backend.stage.asked  # type: ignore[attr-defined]
    before = Counter(asked)

    def seen(progress: Progress) -> None:
        times.append(time.perf_counter())
        memory.append(process.memory_info().rss)

    yield seen
    row: dict[str, Any] = {"seconds": round(time.perf_counter() - times[0], 2)}
    if len(times) > BASES:
        took = np.diff(times)
        quarter = len(took) // 4
        first, last = took[1 : quarter + 1].mean(), took[-quarter:].mean()
        row |= {
            "ms per case, first quarter": round(1000 * first, 1),
            "ms per case, last quarter": round(1000 * last, 1),
            "last / first": round(last / first, 3),
            "memory grew by MB": round((memory[-1] - memory[len(memory) // 4]) / 1e6, 1),
        }
    row["stage"] = dict(Counter(asked) - before)
    found[step] = row


if __name__ == "__main__":
    main()
