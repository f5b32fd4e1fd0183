"""lungreg register: the choices of its options are those of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from lungreg.config import Alignment, RefinePreset
from lungreg.formats.volumes import Stored, encode_volume
from tests.site import Outcome, run
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, scan


def register(folder: Path, *options: str) -> Outcome:
    names = [str(folder / name) for name in ("exp.nii.gz", "insp.nii.gz")]
    return run("register", *names, "-o", str(folder / "out"), *options)


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


def test_a_pair_is_aligned_by_its_centres(tmp_path: Path) -> None:
    """--alignment centre, as `preprocessing.alignment: centre`."""
    fixed, moving = scan(FIXED_GRID, 0)[0], scan(MOVING_GRID, 0, breath(0))[0]
    stored = Stored(dtype="int16")
    (tmp_path / "exp.nii.gz").write_bytes(encode_volume(fixed, FIXED_GRID, stored))
    (tmp_path / "insp.nii.gz").write_bytes(encode_volume(moving, MOVING_GRID, stored))
    done = register(tmp_path, "--alignment", "centre", "--no-refine", "--device", "cpu", "--json")
    assert done.code == 0, done.err
    assert done.document["alignment"] == "centre"
