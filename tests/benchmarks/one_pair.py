"""`lungreg register` as a whole process: CPU seconds, memory, and the size of what it writes.

`python -m tests.benchmarks.one_pair [--times 3] [--dry]` simulates the pairs first. On a machine
that does something else at once the seconds say little.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.kept import keep, machine
from tests.benchmarks.process import run_lungreg

PAIRS = {
    "240 x 200 x 120": ("--shape 240 200 120 --spacing-mm 1.3 1.3 2.5", ("default", "best")),
    "96 x 80 x 80": ("--shape 96 80 80 --spacing-mm 3.4 3.4 3.7", ("default",)),
}
"""Voxels -> how they are simulated, and the presets that are measured on them."""
_FIELDS = ("displacement.nii.gz", "transform.h5", "transform_inverse.h5")


def main() -> None:
    """Measure each pair and preset, print a table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="runs of each, the first not counted")
    parser.add_argument("--dry", action="store_true", help="do not keep the figures")
    asked = parser.parse_args()
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for pair, (options, presets) in PAIRS.items():
            data = Path(folder) / pair.replace(" ", "")
            run_lungreg("simulate", "--out", str(data), "--cases", "1", *options.split())
            lines += [
                {"pair": pair, "simulated": options, **_runs(data, preset, asked.times)}
                for preset in presets
            ]
    console = Console(width=120)
    console.print(_table(lines))
    if not asked.dry:
        keep({"machine": machine(1), "lines": lines}, "-one-pair")


def _runs(data: Path, preset: str, times: int) -> dict[str, Any]:
    """The figures of a preset on a pair."""
    scans = [str(data / "scans" / f"case_001_{breath}.nii.gz") for breath in ("exp", "insp")]
    out = data / preset
    command = ["register", "-q", *scans, "-o", str(out), "--overwrite", "--preset", preset]
    found = [run_lungreg(*command) for _ in range(times + 1)][1:]
    sizes = {file.name: file.stat().st_size / 1e6 for file in out.iterdir() if file.is_file()}
    return {
        "preset": preset,
        "cpu_s": [round(it.cpu_s, 2) for it in found],
        "wall_s": [round(it.wall_s, 2) for it in found],
        "peak_gb": [round(it.peak_gb, 2) for it in found],
        "mb": {name: round(sizes[name], 2) for name in _FIELDS if name in sizes},
        "all_mb": round(sum(sizes.values()), 2),
        "command": "OMP_NUM_THREADS=1 lungreg register -q FIXED MOVING -o OUT --preset " + preset,
    }


def _table(lines: list[dict[str, Any]]) -> Table:
    table = Table("pair", "preset", "CPU s", "peak GB", "field and transforms, MB", "all files, MB")
    for line in lines:
        cpu, peak = (", ".join(map(str, line[name])) for name in ("cpu_s", "peak_gb"))
        fields = str(round(sum(line["mb"].values()), 1))
        table.add_row(line["pair"], line["preset"], cpu, peak, fields, str(line["all_mb"]))
    return table


if __name__ == "__main__":
    main()
