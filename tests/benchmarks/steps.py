"""Each step of a case and of training beside the reference recipe: `nox -s bench -- --steps`.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.steps --shape 192 192 208
    OMP_NUM_THREADS=1 python -m tests.benchmarks.steps --shape 48 48 64 --lines training --dry

Both do a step by turns in this process, with one thread; what is compared are CPU seconds, median
of the repetitions. The recipe is MONAI's (`tests.benchmarks.recipe`); what is not the same work on
both sides says the last column. Prints one table and keeps it in `tests/benchmarks/results/`, with
date, machine, versions and the command that measures each line alone.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lungreg.spatial.geometry import Shape
from tests.benchmarks.case_steps import case_steps
from tests.benchmarks.given_case import given_case
from tests.benchmarks.kept import keep, machine
from tests.benchmarks.one_case import SHAPE
from tests.benchmarks.one_step import timed
from tests.benchmarks.training_steps import training_steps

COMMAND = "OMP_NUM_THREADS=1 python -m tests.benchmarks.steps"


def main() -> None:
    """Measure what is asked for, print it, keep it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=SHAPE, help="of the scans")
    parser.add_argument("--repeat", type=int, default=3, help="of each step; more of a short one")
    parser.add_argument("--lines", default="", help="only steps whose name holds this")
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="monai")  # at each step, of what PyTorch will change
    on, rows = machine(threads=1), list[dict[str, Any]]()
    x, y, z = asked.shape
    try:
        with tempfile.TemporaryDirectory() as folder:
            for row in measured(Path(folder), (x, y, z), asked.repeat, asked.lines):
                rows.append(row)
                Console(width=200).print_json(data=row, indent=None)
    finally:  # what has been measured is kept, however the run ends
        show(rows)
        if not asked.dry:
            facts = {"machine": on, "shape": [x, y, z], "unit": "CPU seconds, median"}
            keep({**facts, "rows": rows}, "-steps")


def measured(folder: Path, shape: Shape, repeat: int, lines: str = "") -> Iterator[dict[str, Any]]:
    """A row for each step.

    Args:
        folder: For the case and what is made of it; empty.
        shape: Voxels of the scans.
        repeat: Counted repetitions of each step, more of a short one.
        lines: Only steps whose name holds this.
    """
    given = given_case(folder, shape)
    for steps in (case_steps, training_steps):
        for step in steps(given):
            if lines in step.name:
                yield timed(step, repeat).row(_command(shape, step.name))


def _command(shape: Shape, name: str) -> str:
    return f'{COMMAND} --shape {" ".join(map(str, shape))} --lines "{name}"'


def show(rows: Sequence[dict[str, Any]]) -> None:
    """One table; above 1 in the ratio, the recipe takes longer than lungreg."""
    table = Table("step", "recipe, CPU s", "lungreg, CPU s", "recipe / lungreg", "what differs")
    for row in rows:
        ratio = row["recipe / lungreg"]
        table.add_row(
            row["step"],
            "–" if row["recipe_s"] is None else f"{row['recipe_s']:.3f}",
            f"{row['lungreg_s']:.3f}",
            "–" if ratio is None else f"{ratio:.2f}",
            row["differs"],
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
