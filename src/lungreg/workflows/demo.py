"""Demo: the main job on simulated pairs, with defaults that fit a laptop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from lungreg.backends import open_backend
from lungreg.config import load_config
from lungreg.config.section import MODEL_NAME
from lungreg.config.yaml_writing import to_yaml
from lungreg.errors import RunError
from lungreg.extras import has_extra, require_extras
from lungreg.records import CaseResult, Split, Status, counted
from lungreg.sources.simulation import simulate_cohort
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import OnProgress, ignore_progress
from lungreg.workflows.report import report
from lungreg.workflows.train import TrainReport, train

DEMO_CASES = 24
_FEWEST_CASES = 5
_TEST_CASES = 3
_SEED = 7


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The result of the demo."""

    config_file: Path
    report_file: Path
    trained: TrainReport
    inferred: InferReport
    seconds: float

    @property
    def test_results(self) -> list[CaseResult]:
        """Rows of the cases that training never saw."""
        return [row for row in self.inferred.results if row.split is Split.TEST]


def demo(
    folder: Path,
    *,
    cases: int = DEMO_CASES,
    on_progress: OnProgress = ignore_progress,
    on_step: Callable[[str], None] = lambda _: None,
) -> Demo:
    """Simulate pairs, ingest, train, register the test pairs and write the report.

    Args:
        folder: Where everything goes; `demo.yaml` in it runs each step again.
        cases: Pairs to simulate, at least five.
        on_progress: Called after every case and epoch.
        on_step: Called with a description of the next step.

    Raises:
        RunError: Too few cases, or a folder that already holds a demo.
    """
    started = time.perf_counter()
    require_extras("train")
    if cases < _FEWEST_CASES:
        msg = f"the demo needs at least {_FEWEST_CASES} cases"
        raise RunError(msg, got=cases)
    config_file = folder / "demo.yaml"
    if config_file.exists():
        msg = "the demo writes to a folder without an earlier demo"
        raise RunError(msg, mend="choose another --out, or delete the folder", where=folder)
    on_step(f"simulating {counted(cases, 'pair')}")
    ids = simulate_cohort(folder / "training", cases=cases, seed=_SEED, workers=2)
    config_file.write_text(_HEADER + to_yaml(demo_config(list(ids))))
    config = load_config(config_file)
    backend = open_backend(config.backend)
    on_step("ingesting them into a local stage")
    ingest(config, backend=backend, on_progress=on_progress)
    on_step("training LocalNet")
    trained = train(config, backend=backend, on_progress=on_progress)
    on_step("registering the test pairs")
    inferred = infer(config, backend=backend, on_progress=on_progress)
    on_step("writing the report")
    name = report(config, inferred.run_id, backend=backend)
    return Demo(
        config_file=config_file,
        report_file=folder / "stage" / name,
        trained=trained,
        inferred=inferred,
        seconds=time.perf_counter() - started,
    )


def demo_config(case_ids: list[str]) -> dict[str, object]:
    """The demo's configuration: what five minutes on two cores allow.

    Masks and landmarks, which simulated pairs have, steer the network far faster than mutual
    information alone. Not batches of one: PyTorch's CPU convolution of so small a scan then leaves
    oneDNN and takes three times as long.
    """
    test, rest = case_ids[-_TEST_CASES:], case_ids[:-_TEST_CASES]
    val = max(1, len(rest) // 7)
    workers = 2 if has_extra("cluster") else "auto"
    return {
        "backend": {"kind": "local", "root": "./stage"},
        "seed": _SEED,
        "ingest": {"source": "./training", "layout": "zenodo"},
        "data": {"split": {"train": rest[:-val], "val": rest[-val:], "test": test}},
        "preprocessing": {
            "spatial_size": [40, 32, 40],
            "augmentation": {
                "rotation_deg": 3.0,
                "translation_vox": 2.0,
                "scale": 0.05,
                "noise_std": 0.02,
                "blur_sigma": None,
            },
        },
        "network": {"num_channel_initial": 16},
        "loss": {"mutual_information": 0.2, "bending_energy": 0.5, "dice": 10.0, "landmarks": 1.0},
        "train": {"epochs": 20, "batch_size": 2, "learning_rate": 1.0e-3, "plateau_patience": 1},
        "infer": {"model": MODEL_NAME, "cases": test, "workers": workers},
    }


_HEADER = """\
# Written by 'lungreg demo'. Each step can be run again by hand:
#   lungreg ingest -c demo.yaml        lungreg train -c demo.yaml
#   lungreg infer -c demo.yaml         lungreg report RUN -c demo.yaml
# Network, size and number of epochs are chosen for five minutes on two cores; for real work leave
# preprocessing, network and loss to their defaults.
"""


def summarise_demo(done: Demo) -> list[tuple[str, float, float]]:
    """Means over the test pairs: name, after the initial alignment, after registration."""
    pairs = (
        ("Dice of the lungs", "dice_aligned", "dice_score"),
        ("landmark error, mm", "tre_aligned_mm", "tre_mm"),
    )
    rows = [row for row in done.test_results if row.status is Status.SUCCESS]
    return [
        (name, fmean(getattr(r, before) for r in rows), fmean(getattr(r, after) for r in rows))
        for name, before, after in pairs
        if rows
    ]
