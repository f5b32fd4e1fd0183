"""A configuration that is refused: file and line, what may be meant, the schema's sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.config import load_config
from lungreg.errors import ConfigError

EPOCHS = "Number of epochs; in each, training reads every training case once (an integer from 1)"


def refused(folder: Path, text: str, *overrides: str) -> ConfigError:
    """The error of a file with this text."""
    file = folder / "run.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: 1\ntrain:\n  # so many\n  epochs: -1\n", 4),
        ("seed: 1\nepohcs: 3\n", 2),
        ("infer:\n  cases:\n    - a\n    - 3\n", 4),
        ("infer: {workers:\n    {min: 5,\n    max: 2}}\n", 3),
        ("quality:\n  tre_warn_mm: 3\ncost:\n  nodes: 2\n", 3),
        ("preprocessing:\n  alignment: auto\n  spatial_size: [3, 3, 3]\n", 3),
        ("ingest:\n  layout: pattern\n  pattern:\n    moving: '{case_id}'\n    fixed: x\n", 5),
        ("train:\n  &again epochs: 0\n", 2),
        ("train:\n  epochs: 3\nseed: 1\ntrain:\n  workers: 0\n", 4),
        ("train:\n  epochs: 3\n\tworkers: 0\n", 3),
        ("seed: 1\ntrain:\n  name: \x00\n", 3),
        ("train:\n  epochs: yes\n", 2),
    ],
)
def test_the_error_names_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    """Also of nested keys, list items, what is missing, rules of a section, and broken YAML."""
    assert refused(tmp_path, text).where == f"{tmp_path / 'run.yaml'}:{line}"


def test_of_several_breaches_each_has_its_line(tmp_path: Path) -> None:
    """And an override says that it is one: the file is not to blame."""
    error = refused(tmp_path, "seed: -1\ntrain:\n  epochs: 0\n", "train.epoch=3")
    assert error.where == str(tmp_path / "run.yaml")
    for part in ("seed (line 1): ", "train.epochs (line 3): ", "train.epoch (--set): unknown"):
        assert part in str(error.got)
    assert refused(tmp_path, "seed: 1\n", "train.epoch=3").where == "--set"


@pytest.mark.parametrize(
    "text",
    [
        "train: {epochs: yes}",
        "train: {learning_rate: on}",
        "preprocessing: {spatial_size: [96, 96, no]}",
        "infer: {workers: true}",
        "quality: {fold_warn_pct: yes}",
        "data: {split: {train: yes}}",
    ],
)
def test_yes_and_no_are_no_numbers(tmp_path: Path, text: str) -> None:
    """They would be read as 1 and 0."""
    assert "must be a number, not yes or no" in str(refused(tmp_path, text).got)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {epoch: 3}", f"did you mean 'train.epochs'? {EPOCHS}"),
        ("Train: {epochs: 3}", "did you mean 'train'?"),
        ("train: {batch-size: 3}", "did you mean 'train.batch_size'? Number of cases"),
        ("epochs: 3", f"did you mean 'train.epochs'? {EPOCHS}"),
        ("workers: 3", "did you mean 'train.workers' or 'infer.workers'?"),
        ("train: {cases: [a]}", "did you mean 'infer.cases'?"),
        ("backend: {kind: snowflake, warehous: W}", "did you mean 'backend.warehouse'?"),
        ("zzz: 1", "a configuration has the keys backend, seed, ingest, data"),
        ("train: {epochs: 0}", f"train.epochs: {EPOCHS}"),
        ("ingest: {layout: zendo}", "did you mean 'zenodo'? ingest.layout: Naming of the files"),
        ("backend: {kind: snowflak}", "did you mean 'snowflake'? backend: Where files"),
        ("infer: {cases: [007]}", "infer.cases.0: Ids of the cases to register; null for all"),
        ("infer: {cases: [007]}", "(text, in quotes where YAML would read a number)"),
        ("cost: {nodes: 2}", "Credits that one node costs per hour (a number above 0)"),
        ("preprocessing: {spatial_size: [8]}", "spatial_size.1: Voxels of the network's grid"),
        ("infer: {workers: -1}", '(an integer from 0 to 4096 or "auto" or a mapping)'),
    ],
)
def test_the_error_says_what_may_be_meant_and_what_the_key_is(
    tmp_path: Path, text: str, said: str
) -> None:
    """The nearest key or value, then the sentence of `lungreg config schema` and legal values."""
    assert said in str(refused(tmp_path, text).mend)


@pytest.mark.parametrize(
    "text",
    [
        "ingest:\n  pattern:\n    fixed: {case_id}\n    moving: '{case_id}/b'\n",
        "ingest:\n  pattern:\n    fixed: {case_id}/exp.nii.gz\n",
        "ingest:\n  pattern:\n    {fixed: scans/{case_id}_exp.nii.gz,\n    moving: b}\n",
        "ingest:\n  pattern:\n    fixed: {{case_id}}\n",
    ],
)
def test_an_id_without_quotes_is_explained(tmp_path: Path, text: str) -> None:
    """YAML takes braces for a mapping, or for a fault: both are said in the user's own terms."""
    error = refused(tmp_path, text)
    assert "{case_id} without quotes is a mapping in YAML" in error.anonymous
    assert 'in quotes, such as "{case_id}/exp.nii.gz"' in str(error.mend)
    assert error.where == f"{tmp_path / 'run.yaml'}:3"


def test_an_id_without_quotes_in_an_override_is_explained(tmp_path: Path) -> None:
    """There the shell takes quotes away too."""
    error = refused(tmp_path, "seed: 1", "ingest.pattern.fixed={case_id}/exp.nii.gz")
    assert "in the shell's" in str(error.mend)


def test_quotes_and_aliases_are_no_fault(tmp_path: Path) -> None:
    """An id in quotes is text; a merged key may be given again; an alias may hold itself."""
    file = tmp_path / "run.yaml"
    file.write_text(
        "ingest: {pattern: {fixed: '{case_id}/e.nii', moving: '{case_id}/i.nii'}}\n"
        "train: &some {epochs: 3}\n"
    )
    assert load_config(file).train.epochs == 3
    error = refused(tmp_path, "train: &t {epochs: 0, <<: {epochs: 5}}\nloss: &x {dice: *x}\n")
    assert "train.epochs (line 1)" in str(error.got)
