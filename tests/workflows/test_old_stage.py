"""What version 164d8ca has written is used on: models, stopped runs, results, exported models."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.stores.run_files import read_history
from tests.site import Site
from tests.workflows.old_stage import CASES, MODEL, PACKAGE, answers

ARCHIVE = Path(__file__).with_name("stage_of_164d8ca.tar.xz")
JUDGED_ANEW = ("verdict", "reasons")
"""Answers of `evaluate` that follow the rules of today."""
MEASURES = ("dice_score", "dice_aligned", "ssim_score", "ncc", "tre_mm", "fold_pct")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's folder; tests that write work on a copy."""
    folder = tmp_path_factory.mktemp("old") / "site"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def site(unpacked: Path, tmp_path: Path) -> Site:
    """A copy of the old folder."""
    return Site(Path(shutil.copytree(unpacked, tmp_path / "site")))


@pytest.fixture
def old(unpacked: Path) -> dict[str, Any]:
    """What the old version answered."""
    return json.loads((unpacked / "answers.json").read_text())


def same(value: Any) -> Any:
    """Equal to an old answer: numbers to 1e-6, all else exactly."""
    if isinstance(value, dict):
        return {key: same(item) for key, item in value.items()}
    if isinstance(value, list):
        return [same(item) for item in value]
    return pytest.approx(value, rel=1e-6, abs=1e-6) if isinstance(value, float) else value


def training_runs(site: Site) -> tuple[str, str]:
    """The run that stopped after the first of two epochs and the one that finished."""
    stage = site.backend().stage
    runs = sorted(folder.name for folder in (site.folder / "stage" / "runs").glob("train-*"))
    stopped, finished = sorted(runs, key=lambda run: len(read_history(stage, run)))
    return stopped, finished


def alignment_of(site: Site, run_id: str) -> str:
    """The alignment that both cases of a run were registered from."""
    cases = site.folder / "stage" / "runs" / run_id / "cases"
    found = {json.loads((cases / case / "metrics.json").read_text())["alignment"] for case in CASES}
    (one,) = found
    return str(one)


def test_models_results_and_transforms_are_read_as_then(site: Site, old: dict[str, Any]) -> None:
    """Cards and weights; `results`, `evaluate`, `report` and `export --format itk` of the run."""
    found = answers(site.folder, old["run_id"])
    for part in ("run_id", "weights_sha256"):
        assert found[part] == same(old[part]), part
    assert found["export"].keys() == old["export"].keys()
    for name, points in old["export"].items():  # Fields were not rounded then.
        np.testing.assert_allclose(found["export"][name], points, atol=2 * STEP_MM)
    for part, left_out in (("models", ()), ("results", ()), ("evaluate", JUDGED_ANEW)):
        for row, then in zip(found[part], old[part], strict=True):
            kept = {name: value for name, value in then.items() if name not in left_out}
            assert {name: row[name] for name in kept} == same(kept), part
    assert not Counter(old["report"]) - Counter(found["report"])


def test_the_champion_registers_as_it_did(site: Site, old: dict[str, Any]) -> None:
    """A new run with the old weights, on the scans of then, comes to the old measures.

    From the alignment that `auto` chose then: today it also fits affines.
    """
    then_chosen = f"infer.alignment={alignment_of(site, old['run_id'])}"
    done = site.run(
        "infer", "--json", "--model", MODEL, "--set", "infer.qc=false", "--set", then_chosen
    ).document
    assert (done["model"], done["version"]) == (MODEL, "1")
    for row, then in zip(done["cases"], old["results"], strict=True):
        # Another processor adds in another order: a voxel of a mask may fall to the other side.
        assert row["status"] == "success"
        assert {name: row[name] for name in MEASURES} == {
            name: pytest.approx(then[name], abs=5e-3) for name in MEASURES
        }


def test_a_stopped_training_goes_on_with_its_second_epoch(site: Site) -> None:
    """From its own checkpoint to about what the run that was not stopped found.

    Not to the same: cases are prepared with today's `alignment: auto`.
    """
    stopped, finished = training_runs(site)
    stage = site.backend().stage
    first, whole = read_history(stage, stopped), read_history(stage, finished)
    assert (len(first), len(whole)) == (1, 2)
    done = site.run("train", "--json", "--resume", stopped).document
    assert (done["run_id"], done["version"], done["champion"]) == (stopped, "2", False)
    history = read_history(stage, stopped)
    assert history[:1] == first
    (second,) = history[1:]
    then = {name: value for name, value in whole[1].items() if "tre" not in name}
    assert {name: second[name] for name in then} == {
        name: pytest.approx(value, rel=0.3, abs=0.1) for name, value in then.items()
    }
    assert second["val_tre_mm"] <= whole[1]["val_tre_mm"]


def test_a_finished_training_is_not_done_again(site: Site) -> None:
    """Its model is found by the note of then."""
    _, finished = training_runs(site)
    assert site.run("train", "--json", "--resume", finished).document["version"] == "1"
    assert len(site.backend().models.list()) == 1


def test_a_finished_inference_is_not_done_again(site: Site, old: dict[str, Any]) -> None:
    """All rows are those of then."""
    done = site.run("infer", "--json", "--resume", old["run_id"]).document
    assert [row["case_id"] for row in done["cases"]] == list(CASES)
    rows = site.backend().results.rows(old["run_id"])
    assert [str(row.finished_at) for row in rows] == [row["finished_at"] for row in old["results"]]


def test_an_exported_model_is_imported(site: Site, old: dict[str, Any]) -> None:
    """The file of then becomes a version of the same weights, under another name too."""
    done = site.run("models", "import", str(site.folder / PACKAGE), "--name", "other", "--json")
    assert done.document == {"model": "other", "version": "1"}
    models = site.backend().models
    card = models.resolve("other", "1")
    assert card.weights_sha256 == old["weights_sha256"]
    assert models.weights(card) == models.weights(models.resolve(MODEL, "1"))
