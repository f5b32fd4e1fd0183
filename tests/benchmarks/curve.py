"""Steps of refinement against landmark error, from the alignment alone and from a trained network.

    lungreg demo --out demo && python -m tests.benchmarks.curve demo/demo.yaml

Prints how many steps each start needs for the same error, averaged over the demo's test pairs, and
keeps the curve in `tests/benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lungreg.backends import open_backend
from lungreg.config import load_config
from lungreg.devices import choose_device
from lungreg.learning.stored_model import load_estimate
from lungreg.registration.alignment import align
from lungreg.registration.pair import Estimate, Pair, read_pair
from lungreg.registration.refinement import Step, plan_for, refine
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import Transform
from lungreg.stores.manifest import read_cases
from tests.benchmarks.kept import RESULTS

SHOWN = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 100)


def main() -> None:
    """Both curves, printed and kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="demo.yaml of a finished demo")
    parser.add_argument("--preset", default="default", choices=("fast", "default", "best"))
    asked = parser.parse_args()
    config = load_config(asked.config)
    device = choose_device("cpu")
    backend = open_backend(config.backend)
    assert config.infer.model, "the configuration of a finished demo names its network"
    network, _, _ = load_estimate(backend.models, config, config.infer.model, device)
    cases = read_cases(backend.stage, config.infer.cases)
    pairs = [read_pair(backend.stage, case) for case in cases]
    curves = {
        "from the alignment": np.mean([curve(p, None, asked.preset) for p in pairs], axis=0),
        "from the network": np.mean([curve(p, network, asked.preset) for p in pairs], axis=0),
    }
    show(curves)
    rounded = {name: np.round(values, 3).tolist() for name, values in curves.items()}
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-curve.json"
    file.write_text(json.dumps({"mean landmark error in mm by step": rounded}) + "\n")


def curve(pair: Pair, start: Estimate | None, preset: str) -> NDArray[np.float64]:
    """(steps + 1,) mean landmark error in mm: of the start, then after each step."""
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    device = choose_device("cpu")
    first = None if start is None else start(pair, affine).transform
    plan = plan_for(preset)  # type: ignore[arg-type]
    # One start, so that every step of the curve belongs to the same descent.
    plan = plan if first is not None else plan.without_search()
    errors: list[float] = []

    def watch(step: Step) -> None:
        errors.append(error_mm(pair, step.transform()))

    refine(pair, affine, plan, device=device, start=first, on_step=watch)
    begun = error_mm(pair, first or identity(pair, affine))
    return np.array([begun, *errors])


def identity(pair: Pair, affine: NDArray[np.floating]) -> Transform:
    """The alignment alone."""
    grid = pair.fixed.grid.resized((2, 2, 2))
    nothing = np.zeros((3, 2, 2, 2), dtype=np.float32)
    return Transform(affine=affine, displacement_mm=nothing, grid=grid)


def error_mm(pair: Pair, transform: Transform) -> float:
    """Mean landmark error."""
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    if fixed is None or moving is None:
        msg = "the curve needs landmarks"
        raise SystemExit(msg)
    return float(np.linalg.norm(transform_points(transform, fixed) - moving, axis=1).mean())


def show(curves: dict[str, NDArray[np.float64]]) -> None:
    """Error at some steps, and the steps that each start needs for the other's last error."""
    table = Table("steps", *curves)
    for step in (0, *SHOWN):
        row = [f"{c[step]:.3f}" if step < len(c) else "" for c in curves.values()]
        table.add_row(str(step), *row)
    table.add_row("last", *(f"{len(c) - 1}: {c[-1]:.3f}" for c in curves.values()))
    console = Console()
    console.print(table)
    target = 1.02 * max(c[-1] for c in curves.values())
    for name, values in curves.items():
        console.print(f"{name}: {int(np.argmax(values <= target))} steps to {target:.3f} mm")


if __name__ == "__main__":
    main()
