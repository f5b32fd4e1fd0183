"""The table of the page of cost, from seconds and megabytes of a case, and their measurement.

    python -m tests.benchmarks.costs --measure
    python -m tests.benchmarks.costs

The first line simulates a case of 192 x 192 x 208 voxels, trains the default network for one epoch,
registers the case with it and without a model, each as a process on one thread, and keeps what that
took. The second prints the table from what was measured last.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lungreg.config.section import MODEL_NAME
from tests.benchmarks.kept import RESULTS, keep, machine
from tests.benchmarks.one_case import EXTENT_MM, SHAPE
from tests.benchmarks.process import run_lungreg

PAIRS = (20, 1_000, 1_000_000)
CORES = 16
HEAD = (
    "| pairs | way | core hours | days on 16 cores | files in and out, TB | once | each month |",
    "|---|---|---|---|---|---|---|",
)
_WAYS = {"network": ("--model", MODEL_NAME), "optimiser": ("--no-model",)}
_READ = ("scans*", "lungMasks*", "landmarks")
_CASE, _OTHER = "case_001", "case_002"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Examples in US dollars; no offer of anyone."""

    core_hour: float = 0.05
    tb_month: float = 23.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure if asked to, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="some minutes on an idle machine")
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, help="voxels of the scans")
    parser.add_argument("--times", type=_at_least_one, default=2, help="beside a first time")
    parser.add_argument("--dry", action="store_true", help="do not keep the figures")
    asked = parser.parse_args(arguments)
    measured = measure(asked.shape, asked.times) if asked.measure else last_measured()
    if asked.measure and not asked.dry:
        keep(measured, "-costs")
    Console(width=120).print("\n".join(table(measured)))


def last_measured() -> dict[str, Any]:
    """The newest figures that were kept."""
    newest = max(RESULTS.glob("*-costs.json"))
    return dict(json.loads(newest.read_text()))


def measure(shape: list[int], times: int) -> dict[str, Any]:
    """CPU seconds of a command that registers one case, and the size of what it reads and writes.

    Args:
        shape: Voxels of the scans; the network's grid has half of them along each side.
        times: How often each is counted, after a first time that is not.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        on, config = machine(threads=1), _prepare(folder, shape)
        runs, written = dict[str, list[float]](), dict[str, float]()
        for way, words in _WAYS.items():
            command = ("infer", "-q", "-c", str(config), "--cases", _CASE, *words)
            used = [run_lungreg(*command) for _ in range(times + 1)][1:]
            runs[way] = [round(it.cpu_s, 1) for it in used]
            written[way] = _megabytes(newest_run(folder / "stage" / "runs"))
        stage = folder / "stage"
        read = _megabytes(*(file for kind in _READ for file in stage.glob(f"{kind}/{_CASE}*")))
    return {
        "machine": on,
        "shape": list(shape),
        "core_s_of_a_pair": {way: round(sum(each) / times, 1) for way, each in runs.items()},
        "written_mb": written,
        "read_mb": read,
        "runs": runs,
    }


def _prepare(folder: Path, shape: list[int]) -> Path:
    """The configuration of a stage with two cases and a network of one epoch."""
    sides = [str(size) for size in shape]
    spacing = [str(mm / size) for mm, size in zip(EXTENT_MM, shape, strict=True)]
    pairs = str(folder / "pairs")
    form = ("--shape", *sides, "--spacing-mm", *spacing)
    run_lungreg("simulate", "-q", "--out", pairs, "--cases", "2", *form)
    config = folder / "lungreg.yaml"
    settings = {
        "backend": {"root": str(folder / "stage"), "tracking": False},
        "ingest": {"source": pairs},
        "data": {"split": {"train": [_CASE], "val": [_OTHER]}},
        "preprocessing": {"spatial_size": [side // 2 for side in shape]},
        "train": {"workers": 0, "epochs": 1},
        "infer": {"workers": 0, "threads": 1},
    }
    config.write_text(json.dumps(settings))
    for command in ("ingest", "train"):
        run_lungreg(command, "-q", "-c", str(config))
    return config


def newest_run(runs: Path) -> Path:
    """The folder of the run of infer that began last, which its id says."""
    return max(runs.glob("infer-*"), key=lambda run: run.name)


def _at_least_one(text: str) -> int:
    """A number of times.

    Raises:
        ArgumentTypeError: None at all, of which there is no mean.
    """
    times = int(text)
    if times < 1:
        msg = f"is at least 1, got {times}"
        raise argparse.ArgumentTypeError(msg)
    return times


def _megabytes(*paths: Path) -> float:
    """Of files, and of all in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return round(sum(file.stat().st_size for file in files if file.is_file()) / 1e6, 1)


def table(measured: dict[str, Any], prices: Prices | None = None) -> list[str]:
    """Lines of Markdown."""
    return [*HEAD, *_rows(measured, prices or Prices())]


def _rows(measured: dict[str, Any], prices: Prices) -> Iterator[str]:
    for pairs in PAIRS:
        for way, seconds in measured["core_s_of_a_pair"].items():
            megabytes = measured["read_mb"] + measured["written_mb"][way]
            hours, terabytes = pairs * seconds / 3600, pairs * megabytes / 1e6
            figures = (
                f"{hours:,.1f}" if hours < 100 else f"{hours:,.0f}",
                f"{hours / CORES / 24:,.2g}" if hours < 100_000 else f"{hours / CORES / 24:,.0f}",
                f"{terabytes:,.2g}" if terabytes < 10 else f"{terabytes:,.0f}",
                f"$ {hours * prices.core_hour:,.2f}",
                f"$ {terabytes * prices.tb_month:,.2f}",
            )
            yield f"| {pairs:,} | {way} | " + " | ".join(figures) + " |"


if __name__ == "__main__":
    main()
