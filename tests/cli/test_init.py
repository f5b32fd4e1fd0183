"""lungreg init: a configuration to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.site import CASES, run


def test_a_new_config_is_valid_and_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` writes ./lungreg.yaml, which the next commands find by themselves."""
    monkeypatch.chdir(tmp_path)
    assert run("init").code == 0
    text = (tmp_path / "lungreg.yaml").read_text()
    assert "# " in text
    assert run("config", "validate").out == "the configuration is valid\n"
    done = run("init")
    assert (done.code, "a new file" in done.err) == (1, True)
    assert (tmp_path / "lungreg.yaml").read_text() == text


def test_a_folder_of_pairs_becomes_a_configuration(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From there `ingest` runs as it is printed; the source is given relative to the file."""
    monkeypatch.chdir(tmp_path)
    for case_id in CASES[:2]:
        for breath, name in (("exp", "exhale"), ("insp", "inhale")):
            target = tmp_path / "data" / case_id / f"{name}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cohort / "training" / "scans" / f"{case_id}_{breath}.nii.gz", target)
    done = run("init", "data", "-o", "my runs.yaml")
    assert "{case_id}/exhale.nii.gz and {case_id}/inhale.nii.gz: 2 pairs" in done.out
    assert "next: lungreg ingest -c 'my runs.yaml'" in done.out
    assert "source: ./data" in (tmp_path / "my runs.yaml").read_text()
    brought = run("ingest", "-c", "my runs.yaml").out
    assert "2 cases: 2 on the stage" in brought
    assert "next: lungreg infer -c 'my runs.yaml'" in brought


def test_names_that_leave_it_open_are_refused_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both readings; a file is not written."""
    monkeypatch.chdir(tmp_path)
    for kernel in ("b30", "b60"):
        for breath in ("exp", "insp"):
            (tmp_path / f"P1_{breath}_{kernel}.nii.gz").touch()
            (tmp_path / f"P2_{breath}_{kernel}.nii.gz").touch()
    done = run("init", ".")
    assert done.code == 1
    assert "can be read in one way, got" in done.err
    assert "{case_id}_exp_b30.nii.gz" in done.err
    assert not (tmp_path / "lungreg.yaml").exists()
