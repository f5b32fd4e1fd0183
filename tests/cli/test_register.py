"""lungreg register: the choices of its options are those of the configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from lungreg.config import Alignment, RefinePreset
from lungreg.formats.volumes import Stored, encode_volume
from lungreg.records import LUNG_PARTS
from lungreg.sources.simulation import simulate_pair
from tests.site import Outcome, run
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, scan


def register(folder: Path, *options: str) -> Outcome:
    names = [str(folder / name) for name in ("exp.nii.gz", "insp.nii.gz")]
    return run("register", *names, "-o", str(folder / "out"), "--overwrite", *options)


@pytest.mark.parametrize("name", get_args(Alignment))
def test_every_alignment_is_accepted_and_explained(tmp_path: Path, name: str) -> None:
    """Past the options, the missing scan is what is refused; the help names the alignment."""
    done = register(tmp_path, "--alignment", name)
    assert (done.code, "the file must be there" in done.err) == (1, True)
    text = " ".join(run("register", "--help").out.replace("│", " ").split())
    assert name in text[text.index("--alignment") : text.index("--preset")]


@pytest.mark.parametrize("name", get_args(RefinePreset))
def test_every_preset_is_accepted(tmp_path: Path, name: str) -> None:
    """Past the options, the missing scan is what is refused."""
    done = register(tmp_path, "--preset", name)
    assert (done.code, "the file must be there" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("option", "known"),
    [("--alignment", get_args(Alignment)), ("--preset", get_args(RefinePreset))],
)
def test_another_choice_is_wrong_usage(tmp_path: Path, option: str, known: tuple[str]) -> None:
    """Exit code 2, with what there is to choose from."""
    done = register(tmp_path, option, "other")
    said = " ".join(done.err.replace("│", " ").split())
    assert done.code == 2
    assert f"'{option}': 'other' is not one of {', '.join(map(repr, known))}." in said


def put_small_pair(folder: Path) -> None:
    """Two scans of a few thousand voxels."""
    fixed, moving = scan(FIXED_GRID, 0)[0], scan(MOVING_GRID, 0, breath(0))[0]
    stored = Stored(dtype="int16")
    (folder / "exp.nii.gz").write_bytes(encode_volume(fixed, FIXED_GRID, stored))
    (folder / "insp.nii.gz").write_bytes(encode_volume(moving, MOVING_GRID, stored))


STEPS = [
    *("starting", "reading", "lungs", "alignment", "transform"),
    *("measures", "inverse", "writing"),
]


def test_steps_are_lines_where_no_terminal_is(tmp_path: Path) -> None:
    """As each begins; the result comes after them; -q says that it is no pass, in one line."""
    put_small_pair(tmp_path)
    quick = ("--alignment", "world", "--no-refine", "--device", "cpu")
    lines = register(tmp_path, *quick).out.splitlines()
    assert lines[: len(STEPS)] == STEPS
    assert lines[len(STEPS)].strip() == "Registered"
    quiet = register(tmp_path, *quick, "-q")
    assert (quiet.code, quiet.out) == (0, "")
    assert re.fullmatch(r"lungreg: verdict: (warn|fail).*: .+\n", quiet.err)


def test_a_pair_is_aligned_by_its_centres(tmp_path: Path) -> None:
    """--alignment centre, as `preprocessing.alignment: centre`; one JSON document and no steps."""
    put_small_pair(tmp_path)
    done = register(tmp_path, "--alignment", "centre", "--no-refine", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["alignment"] == "centre"


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated pair in which inspiration is given as the fixed scan."""
    folder = tmp_path_factory.mktemp("chest")
    made = simulate_pair(1, 0, shape=(48, 40, 48), spacing_mm=(6.0, 6.0, 6.0))
    stored = Stored(dtype="int16")
    for name, data, grid in (
        ("exp.nii.gz", made.moving, made.moving_grid),
        ("insp.nii.gz", made.fixed, made.fixed_grid),
    ):
        (folder / name).write_bytes(encode_volume(data.astype(np.float32), grid, stored))
    return folder


def test_time_points_have_no_order(chest: Path) -> None:
    """Without the option the exchange is named; verdict and evidence are joined."""
    said = register(chest, "--no-refine", "--device", "cpu").out
    assert "expiration and inspiration seem exchanged" in " ".join(said.split())
    assert re.search(r"^verdict: (warn|fail)( \((estimated|masks)\))?\n  - \w", said, re.MULTILINE)
    done = register(chest, "--no-refine", "--device", "cpu", "--time-points", "--json")
    assert done.code == 0, done.err
    assert not [why for why in done.document["reasons"] if "exchanged" in why]


def test_the_configuration_of_the_folder_counts(
    chest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the commands of a cohort; an option wins."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lungreg.yaml").write_text("refine: {enabled: false}\nseed: 7\n")
    register(chest, "--device", "cpu", "--set", "infer.alignment=world")
    made = json.loads((chest / "out" / "metrics.json").read_text())["made"]
    assert made == {"alignment": "world", "seed": 7}
    register(chest, "--device", "cpu", "--seed", "8", "--alignment", "grid")
    made = json.loads((chest / "out" / "metrics.json").read_text())["made"]
    assert made == {"alignment": "grid", "seed": 8}


def test_errors_by_part_of_the_lungs_are_objects(chest: Path) -> None:
    """In the documents of `register` and of `evaluate`, whose table names the parts."""
    done = register(chest, "--preset", "fast", "--device", "cpu", "--json")
    assert done.document["result"]["evidence"] == "estimated"
    parts = {part["region"]: part for part in done.document["regions"]}
    assert parts
    assert set(parts) <= set(LUNG_PARTS)
    again = run("evaluate", str(chest / "out"), "--json").document["cases"][0]
    found = {part["region"]: part for part in again["etre_regions"]}
    assert set(found) == set(parts)
    for name, part in found.items():
        assert part["mean_mm"] == pytest.approx(parts[name]["mean_mm"], abs=0.2)
        assert part["places"] >= 15
    assert (again["verdict"], again["evidence"]) == (
        done.document["result"]["verdict"],
        "estimated",
    )
    shown = " ".join(run("evaluate", str(chest / "out")).out.split())
    for part in found:
        assert f"{part}: " in shown
    assert "(estimated)" in shown
