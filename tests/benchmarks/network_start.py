"""What a trained network gives on real scans: alone, and as a start for the optimiser.

    lungreg demo --out demo && python -m tests.benchmarks.network_start demo/demo.yaml

On the real CTs of LUNGREG_REAL_DATA in varied breaths; on a pair of your own with `--fixed`,
`--moving`, `--landmarks` and, if there are some, masks. Prints landmark error and CPU time of the
alignment, the network, the optimiser, and the optimiser from the network, and keeps them in
`tests/benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lungreg.backends import open_backend
from lungreg.config import Refine, load_config
from lungreg.devices import choose_device
from lungreg.learning.stored_model import load_estimate
from lungreg.metrics import landmark_errors_mm
from lungreg.registration.alignment import align
from lungreg.registration.model_free import alignment_alone
from lungreg.registration.pair import Estimate, Pair
from lungreg.registration.refinement import refinement_estimate
from lungreg.sources.pair_files import PairFiles, read_pair_files
from lungreg.spatial.displacement import transform_points
from tests.benchmarks.kept import RESULTS
from tests.varied import available_bases, make_varied

_ROLES = ("fixed", "moving", "landmarks", "fixed_mask", "moving_mask")


def main() -> None:
    """Measure every pair, print a table, keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="demo.yaml of a finished demo, or your own")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2], help="of varied pairs")
    for role in _ROLES:
        parser.add_argument(f"--{role.replace('_', '-')}", type=Path)
    parser.add_argument("--dry", action="store_true", help="do not keep the numbers")
    asked = parser.parse_args()
    starts = estimates(asked.config)
    rows = [row for name, pair in pairs(asked) for row in measured(name, pair, starts)]
    table = Table("pair", "what", "mean mm", "median mm", "CPU s")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(width=120).print(table)
    if not asked.dry:
        file = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-network.json"
        file.write_text(json.dumps(rows, indent=1) + "\n")


def estimates(file: Path) -> dict[str, Estimate]:
    """The four ways, by what they are called in the table."""
    config, device = load_config(file), choose_device("cpu")
    name = config.infer.model or config.train.name
    network, _, _ = load_estimate(open_backend(config.backend).models, config, name, device)
    refine = Refine()
    return {
        "alignment": alignment_alone,
        "network": network,
        "optimiser": refinement_estimate(refine, device),
        "network, then optimiser": refinement_estimate(refine, device, start=network),
    }


def pairs(asked: argparse.Namespace) -> Iterator[tuple[str, Pair]]:
    """The pair of the user's own files, or varied ones with landmarks and no masks."""
    if asked.fixed is not None:
        files = PairFiles(**{role: getattr(asked, role) for role in _ROLES})
        yield asked.fixed.name, read_pair_files(files, "pair", max_voxels=2**30).pair
        return
    for base in available_bases():
        for seed in asked.seeds:
            case = make_varied(base, "none", seed)
            yield case.name, replace(case.with_landmarks, fixed_mask=None, moving_mask=None)


def measured(name: str, pair: Pair, starts: dict[str, Estimate]) -> Iterator[dict[str, Any]]:
    """One row for each way."""
    begun = time.process_time()
    affine = align(pair, (-1000.0, 500.0), "auto").affine
    aligned_s = time.process_time() - begun
    fixed, moving = pair.fixed_points_ras, pair.moving_points_ras
    assert fixed is not None
    assert moving is not None
    for what, estimate in starts.items():
        begun = time.process_time()
        transform = estimate(pair, affine).transform
        seconds = aligned_s + time.process_time() - begun
        errors = landmark_errors_mm(transform_points(transform, fixed), moving)
        yield {
            "pair": name,
            "what": what,
            "mean_mm": round(float(errors.mean()), 2),
            "median_mm": round(float(np.median(errors)), 2),
            "cpu_s": round(seconds, 1),
        }


if __name__ == "__main__":
    main()
