"""A stage that an earlier version has written, with the answers which that version gave from it.

`stage_of_164d8ca.tar.xz` was made by this file as a script, in a clone of commit 164d8ca with the
packages of its `.ci/constraints.txt`:

    PYTHONPATH=src python -W ignore .../tests/workflows/old_stage.py .../stage_of_164d8ca.tar.xz

Two simulated pairs, ingested; a training run that stopped after the first of two epochs; one that
finished and whose model is champion; that model as a file of `models export`; a run of `infer`
(without the page of its first case, to keep the archive small); `answers.json`. The script uses
only public names that do not change, so a later version can be kept in the same way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import yaml

import lungreg
from lungreg.backends import open_backend
from lungreg.testing import FaultyStage

MODEL = "lung_ct_registration"
CASES = ("case_001", "case_002")
PACKAGE = "model.zip"
SETTINGS: dict[str, Any] = {
    "backend": {"kind": "local", "root": "./stage", "tracking": False},
    "seed": 1,
    "ingest": {"source": "./training"},
    "data": {"split": {"train": [CASES[0]], "val": [CASES[1]], "test": []}},
    "preprocessing": {"spatial_size": [16, 16, 16]},
    "network": {"num_channel_initial": 1, "extract_levels": [0, 1]},
    "loss": {"dice": 1.0},
    "train": {"workers": 0, "threads": 1, "epochs": 2, "learning_rate": 1.0e-2, "device": "cpu"},
    "infer": {"workers": 0, "threads": 1, "device": "cpu"},
}


def make(folder: Path) -> None:
    """Fill a folder with the stage and the answers."""
    shape, spacing_mm = (20, 17, 20), (15.0, 15.0, 15.0)
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False))
    config = lungreg.load_config(folder / "lungreg.yaml")
    lungreg.simulate(folder / "training", cases=2, seed=7, shape=shape, spacing_mm=spacing_mm)
    lungreg.ingest(config)
    backend = open_backend(config.backend)
    full = FaultyStage(backend.stage, full_on={2}, only="/epoch_")
    try:
        lungreg.train(config, backend=dataclasses.replace(backend, stage=full))
    except lungreg.LungregError as error:
        print(f"stopped on purpose: {error}")  # noqa: T201
    lungreg.train(config)
    run_id = lungreg.infer(config).run_id
    _command("models", "export", MODEL, "1", "-o", str(folder / PACKAGE), config=folder)
    (folder / f"stage/runs/{run_id}/cases/{CASES[0]}/qc.html").unlink()
    (folder / "answers.json").write_text(json.dumps(answers(folder, run_id), indent=1))
    (folder / f"stage/runs/{run_id}/report.html").unlink()


def answers(folder: Path, run_id: str) -> dict[str, Any]:
    """What the commands say of the first model and of a run of `infer`, as JSON."""
    config = lungreg.load_config(folder / "lungreg.yaml")
    rows = f"SELECT * FROM results WHERE run_id = '{run_id}' ORDER BY case_id"
    measured = lungreg.evaluate(config, run_id)
    found = {
        "run_id": run_id,
        "models": _command("models", "list", config=folder),
        "weights_sha256": _sha256_of_weights(config),
        "results": lungreg.query_results(config, rows).to_pylist(),
        "evaluate": [dataclasses.asdict(case) for case in measured.cases],
        "report": _cells(config, run_id),
        "export": _exported(config, run_id),
    }
    return json.loads(json.dumps(found, default=str))


def _command(*arguments: str, config: Path) -> Any:
    """The document that a command prints."""
    from typer.testing import CliRunner

    from lungreg.cli.app import build_app

    options = ("--json", "-c", str(config / "lungreg.yaml"))
    done = CliRunner().invoke(build_app(), [*arguments, *options])
    return json.loads(done.stdout)


def _sha256_of_weights(config: lungreg.Config) -> str:
    models = open_backend(config.backend).models
    return hashlib.sha256(models.weights(models.resolve(MODEL, "champion"))).hexdigest()


def _cells(config: lungreg.Config, run_id: str) -> list[str]:
    """The cells of the tables of the report, the panels of stored case pages among them."""
    page = open_backend(config.backend).stage.read(lungreg.report(config, run_id)).decode()
    return [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", page)]


def _exported(config: lungreg.Config, run_id: str) -> dict[str, list[list[float]]]:
    """By file of an export for ITK: where SimpleITK carries points of the lungs, LPS mm."""
    points = [(60.0, 0.0, 10.0), (-55.0, 20.0, -40.0), (50.0, -25.0, 35.0), (-60.0, 5.0, 0.0)]
    with tempfile.TemporaryDirectory() as out:
        report = lungreg.export(config, run_id, Path(out), file_format="itk")
        transforms = [name for name in report.files if name.endswith(".h5")]
        read = {name: sitk.ReadTransform(str(Path(out) / name)) for name in transforms}
    return {name: [list(it.TransformPoint(point)) for point in points] for name, it in read.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made, tarfile.open(sys.argv[1], "w:xz") as archive:
        make(Path(made))
        for name in ("lungreg.yaml", "stage", PACKAGE, "answers.json"):
            archive.add(Path(made) / name, name)
