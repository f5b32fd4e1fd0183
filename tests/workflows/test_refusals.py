"""Bad configs, what is not there, damaged files on the stage: refused in one line or one row."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from lungreg.testing import FaultyStage
from tests.site import CASES, SETTINGS, Site, assert_refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train: {epocs: 3}", "train.epocs: unknown key"),
        ("preprocessing: {spatial_size: [50, 48, 48]}", "nearest legal size is (48, 48, 48)"),
        ("a: [", "a configuration is YAML"),
        (b"\xff\xfe\x00", "a configuration is YAML in UTF-8"),
    ],
)
def test_a_bad_config_is_refused_in_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    """Unknown keys, wrong types, impossible values: before anything is begun."""
    site = Site(tmp_path)
    site.config_file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("ingest", "train", "infer", "results"):
        assert_refused(site.run(command), says)
    assert list(tmp_path.iterdir()) == [site.config_file]


def test_a_config_that_is_not_there_is_refused(raw: Site) -> None:
    """And what writes one is said."""
    raw.config_file.unlink()
    assert_refused(raw.run("infer"), "a configuration file must exist", "lungreg init")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "infer.version=7"), "there is 1, champion, latest"),
        (("--set", "infer.model=other"), "there is lung_ct_registration"),
        (("--cases", "case_001,case_999"), "case_999: cases asked for are on the stage"),
        (("--resume", "infer-20260101-000000-abcdef"), "'lungreg infer' has started"),
        (("--resume", "../../etc"), "'lungreg infer' has started"),
        (("--set", "infer.device=cuda:99"), "one that PyTorch sees"),
        (("--set", "network.norm=batch"), "network.norm is the model's own, instance"),
    ],
)
def test_what_is_not_there_is_refused(trained: Site, arguments: tuple[str, ...], says: str) -> None:
    """A version, a model, a case, a run, a device, another network: with what there is instead."""
    assert_refused(trained.run("infer", *arguments), says)


def test_a_stage_without_cases_or_models_says_what_comes_first(ingested: Site) -> None:
    """Each command names the one before it."""
    empty = f"backend.root={ingested.folder}/empty"
    assert_refused(ingested.run("train", "--set", empty), "run 'lungreg ingest -c", "' first")
    assert_refused(ingested.run("infer"), "train one with 'lungreg train -c")


def test_a_loss_without_its_files_is_refused_before_a_run_begins(ingested: Site) -> None:
    """No displacement on the stage and a weight for its loss: said at once, with a way out."""
    weighed = ("train", "--set", "loss.displacement=1")
    assert_refused(ingested.run(*weighed), "got none of 4", "set loss.displacement to 0")
    assert not (ingested.folder / "stage" / "runs").exists()


@pytest.mark.parametrize("command", ["ingest", "train", "infer"])
def test_a_full_disk_is_reported_in_one_line(
    trained: Site, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Nothing but the disk is blamed, and what is there stays."""
    backend = trained.backend()
    full = dataclasses.replace(backend, stage=FaultyStage(backend.stage, full_on=range(1, 10**6)))
    home = import_module(f"lungreg.workflows.{command}")
    monkeypatch.setattr(home, "open_backend", lambda _: full)
    (trained.scans / "case_001_exp.nii.gz").write_bytes(
        (trained.scans / "case_002_exp.nii.gz").read_bytes()
    )
    before = {file.name for file in backend.stage.list()}
    done = trained.run(command)
    assert done.code == 1
    assert "free disk space" in done.err
    assert done.err.count("\n") == 1
    assert {file.name for file in backend.stage.list()} == before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def test_cases_that_went_bad_on_the_stage_fail_alone(trained: Site) -> None:
    """One failed row each with a code and no path, a good result for the others, exit code 3."""
    stage = trained.folder / "stage"
    truncate(stage / "scansExp" / "case_001_exp.nii.gz")
    (stage / "scansInsp" / "case_002_insp.nii.gz").unlink()
    (stage / "scansExp" / "case_003_exp.nii.gz").write_bytes(b"no scan")
    mask = stage / "lungMasksExp" / "case_004_exp.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((9, 9, 9), "u1"), np.eye(4)), mask)
    done = trained.run("infer", "--json")
    assert (done.code, done.err) == (3, "")
    rows = {row["case_id"]: row for row in done.document["cases"]}
    assert {key: row["error_code"] for key, row in rows.items()} == {
        "case_001": "unreadable_file",
        "case_002": "not_found",
        "case_003": "unreadable_file",
        "case_004": "data",
        "case_005": None,
        "case_006": None,
    }
    for row in rows.values():
        assert row["status"] == ("failed" if row["error_code"] else "success")
        assert "case_00" not in (row["error_message"] or "")
        assert "/" not in (row["error_message"] or "").replace("1/", "")


def test_a_damaged_model_is_refused(trained: Site) -> None:
    """Other bytes than its card names are never loaded."""
    weights = trained.folder / "stage/models/lung_ct_registration/1/weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert_refused(trained.run("infer"), "the SHA-256 on its card")


def test_a_damaged_table_is_named(trained: Site) -> None:
    """A half file in the results is said, with what to do."""
    assert trained.run("infer", "-q", "--cases", CASES[0]).code == 0
    (part,) = (trained.folder / "stage" / "runs").rglob("part-*.parquet")
    truncate(part) if part.stat().st_size > 1000 else part.write_bytes(b"PAR1")
    assert_refused(trained.run("results"), "a whole Parquet file", "delete the file")


def test_training_on_a_bad_file_says_which(trained: Site) -> None:
    """Training does not go on without a case of its split: the person decides."""
    truncate(trained.folder / "stage" / "scansExp" / f"{CASES[1]}_exp.nii.gz")
    assert_refused(trained.run("train"), CASES[1])


def test_a_bad_file_in_a_config_with_good_overrides_is_still_bad(raw: Site) -> None:
    """Overrides come on top of a file that must be valid YAML itself."""
    raw.config_file.write_text(yaml.safe_dump(SETTINGS) + "\n\tbad: tab")
    assert_refused(raw.run("ingest", "--set", "seed=1"), "a configuration is YAML")
    raw.config_file.write_text(yaml.safe_dump(SETTINGS))
    for override in ("seed", "=1", "a..b=1", "seed=[", "train.epochs=0", "train=5"):
        assert_refused(raw.run("ingest", "--set", override))
