"""The table of the page of cost, from seconds and megabytes of a case, and their measurement.

    python -m tests.benchmarks.costs --measure
    python -m tests.benchmarks.costs

The first line simulates a case of 192 x 192 x 208 voxels, trains the default network for one epoch,
registers the case with it and without a model, each as a process on one thread, and keeps what that
took. The second prints the table from what was measured last, on a GPU by `nox -s gpu`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
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
    "| pairs | way | core hours | GPU hours | days on 16 cores | files in and out, TB | once "
    "| each month |",
    "|---|---|---|---|---|---|---|---|",
)
_WAYS = {"network": ("--model", MODEL_NAME), "optimiser": ("--no-model",)}
_READ = ("scans*", "lungMasks*", "landmarks")
_CASE, _OTHER = "case_001", "case_002"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Examples in US dollars; no offer of anyone."""

    core_hour: float = 0.05
    gpu_hour: float = 4.0
    """Of a card as large as an H200, without the cores beside it."""
    tb_month: float = 23.0


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a number of pairs takes in one way."""

    core_h: float
    gpu_h: float
    days: float
    terabytes: float

    def row(self, prices: Prices) -> str:
        """The end of a line of the table."""
        once = self.core_h * prices.core_hour + self.gpu_h * prices.gpu_hour
        cells = (
            f"{self.core_h:,.1f}" if self.core_h < 100 else f"{self.core_h:,.0f}",
            _short(self.gpu_h) if self.gpu_h else "0",
            _short(self.days),
            _short(self.terabytes),
            f"$ {once:,.2f}",
            f"$ {self.terabytes * prices.tb_month:,.2f}",
        )
        return " | ".join(cells)


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
    Console(width=120).print("\n".join(table(measured, last_on_gpu())))


def last_measured() -> dict[str, Any]:
    """The newest figures that were kept."""
    return _newest("costs")


def last_on_gpu() -> dict[str, Any]:
    """The newest figures of `nox -s gpu` that were kept."""
    return _newest("gpu")


def _newest(kind: str) -> dict[str, Any]:
    newest = max(RESULTS.glob(f"*-{kind}.json"))
    return {"file": newest.name, **json.loads(newest.read_text())}


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


def table(
    measured: dict[str, Any], on_gpu: dict[str, Any], prices: Prices | None = None
) -> list[str]:
    """Lines of Markdown.

    Args:
        measured: Of one core.
        on_gpu: Of a card and the cores beside it, which are paid for as long as the card is.
        prices: Others than the examples.
    """
    lines = list(HEAD)
    for pairs in PAIRS:
        ways = {way: _on_a_core(measured, way, pairs) for way in measured["core_s_of_a_pair"]}
        ways["network on a GPU"] = _on_a_card(measured, on_gpu, pairs)
        lines += [
            f"| {pairs:,} | {way} | {work.row(prices or Prices())} |" for way, work in ways.items()
        ]
    return lines


def _on_a_core(measured: dict[str, Any], way: str, pairs: int) -> _Work:
    hours = pairs * measured["core_s_of_a_pair"][way] / 3600
    terabytes = _terabytes(measured, way, pairs)
    return _Work(core_h=hours, gpu_h=0, days=hours / CORES / 24, terabytes=terabytes)


def _on_a_card(measured: dict[str, Any], on_gpu: dict[str, Any], pairs: int) -> _Work:
    start_s, pair_s = gpu_seconds(on_gpu)
    hours = (start_s + pairs * pair_s) / 3600
    return _Work(
        core_h=hours * on_gpu["machine"]["cores"],
        gpu_h=hours,
        days=hours / 24,
        terabytes=_terabytes(measured, "network", pairs),
    )


def gpu_seconds(on_gpu: dict[str, Any]) -> tuple[float, float]:
    """Seconds on a card until pairs are registered, once, and of each pair from then on."""
    cold, warm = (on_gpu["steps"][f"infer, {state}"]["s"] for state in ("cold", "warm"))
    return cold - warm, warm / on_gpu["asked"]["cases"]


def _terabytes(measured: dict[str, Any], way: str, pairs: int) -> float:
    return float(pairs * (measured["read_mb"] + measured["written_mb"][way]) / 1e6)


def _short(number: float) -> str:
    """Two digits, or all before the point."""
    return f"{number:,.2g}" if number < 10 else f"{number:,.0f}"


if __name__ == "__main__":
    main()
