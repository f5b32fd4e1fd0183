"""A cohort without a model, its pairs one after the other and on a pool of actors at once.

    python -m tests.benchmarks.cohort --seeds 3 6

The pairs are those of `nox -s bench`: simulated breaths of an analytic chest and of the real CTs of
LUNGREG_REAL_DATA. Each way is a `lungreg infer --no-model` of its own, so that its time is that of
a user: imports, Ray and pages included. Prints the landmark error before and after, what failed,
and both times, and keeps them in `tests/benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml
from rich.console import Console

from lungreg.config import Config, load_config
from lungreg.workflows.ingest import ingest
from lungreg.workflows.results import query_results
from tests.benchmarks.kept import RESULTS, machine
from tests.benchmarks.pairs import make_pairs, make_varied_pairs

_ROLES = ("fixed", "moving", "fixed_mask", "moving_mask")
_LUNGREG = "from lungreg.cli import main; main()"


def main() -> None:
    """Make the cohort, register it both ways, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", type=int, default=[3], help="of varied pairs")
    parser.add_argument("--pairs", default="", help="only pairs whose name holds this")
    parser.add_argument("--workers", type=int, default=2, help="of the pool")
    parser.add_argument("--preset", default="default", choices=("fast", "default", "best"))
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = cohort(Path(folder), asked)
        ways = {"one after the other": 0, "at once": asked.workers}
        found = {way: register(Path(folder), count) for way, count in ways.items()}
        rows = query_results(config, "SELECT * FROM results").to_pylist()
        written = sum(it.stat().st_size for it in (Path(folder) / "stage" / "runs").rglob("*.*"))
    record = {**summary(rows, found), "written_mb_per_case": round(written / len(rows) / 1e6, 1)}
    Console().print_json(data=record)
    if not asked.dry:
        now = datetime.now(UTC)
        record = {"date": now.isoformat(timespec="seconds"), "machine": machine(), **record}
        file = RESULTS / f"{now:%Y-%m-%d-%H%M}-cohort.json"
        file.write_text(json.dumps(record, indent=1) + "\n")


def cohort(folder: Path, asked: argparse.Namespace) -> Config:
    """Write the pairs and a configuration, and bring them to a stage."""
    pairs = folder / "pairs"
    made = [
        *(pair for pair in make_pairs(pairs, 1) if asked.pairs in pair.name),
        *make_varied_pairs(pairs, asked.pairs, troubles=["none"], seeds=asked.seeds),
    ]
    for written in set(pairs.iterdir()) - {pair.folder for pair in made}:
        shutil.rmtree(written)
    pattern = {role: f"{{case_id}}/{role}.nii.gz" for role in _ROLES}
    settings = {
        "backend": {"root": "./stage", "tracking": False},
        "ingest": {
            "source": "./pairs",
            "layout": "pattern",
            "pattern": {**pattern, "landmarks": "{case_id}/landmarks.csv"},
        },
        "refine": {"preset": asked.preset},
        "infer": {"device": "cpu"},
    }
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(settings))
    config = load_config(folder / "lungreg.yaml")
    done = ingest(config)
    if done.rejected or len(done.rows) != len(made):
        msg = f"{len(made)} pairs were made, got {len(done.rows)} on the stage"
        raise RuntimeError(msg)
    return config


def register(folder: Path, workers: int) -> dict[str, float]:
    """Run `lungreg infer --no-model` as a user does: wall and CPU seconds of all its processes."""
    command = (sys.executable, "-c", _LUNGREG, "infer", "--no-model", "-q")
    before, started = os.times(), time.perf_counter()
    options = ("--set", f"infer.workers={workers}", "-c", str(folder / "lungreg.yaml"))
    subprocess.run([*command, *options], cwd=folder, check=True)
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return {"wall_s": round(time.perf_counter() - started, 1), "cpu_s_seen": round(cpu_s, 1)}


def summary(rows: list[dict[str, Any]], found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What both ways cost, and what each pair came to."""
    runs = sorted({row["run_id"] for row in rows})
    one, other = ([r for r in rows if r["run_id"] == run] for run in runs)
    kept = ("case_id", "status", "verdict", "tre_mm", "tre_median_mm", "tre_aligned_mm")
    by_case = {row["case_id"]: row["tre_mm"] for row in other}
    wall = {way: figures["wall_s"] for way, figures in found.items()}
    return {
        "seconds": found,
        "at once / one after the other": round(wall["at once"] / wall["one after the other"], 3),
        "pairs": [{name: row[name] for name in kept} for row in one],
        "failed": sum(row["status"] != "success" for row in rows),
        "tre / aligned": round(
            fmean(row["tre_mm"] for row in one) / fmean(row["tre_aligned_mm"] for row in one), 3
        ),
        "largest difference of a pair in tre_mm between both ways": max(
            abs(row["tre_mm"] - by_case[row["case_id"]]) for row in one
        ),
    }


if __name__ == "__main__":
    main()
