"""Cases of a source: their names, their files, their landmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import DataError, MissingFileError
from lungreg.sources import list_cases
from lungreg.sources.source_case import load_landmarks
from tests.sources.made_sources import L2R, ZENODO, learn2reg, put, zenodo

ODD_IDS = ["case 1", "o'brien", 'the "second"', "Müller_ü", "患者", "a_exp"]


@pytest.mark.parametrize("case_id", ODD_IDS)
def test_odd_names_are_kept(tmp_path: Path, case_id: str) -> None:
    """Spaces, quotes, unicode."""
    zenodo(tmp_path, case_id)
    (case,) = list_cases(tmp_path, ZENODO)
    assert (case.case_id, case.problems) == (case_id, ())


@pytest.mark.parametrize("case_id", ["a\nb", "a\tb", "a\x7fb", "a\x85b", "a\u2028b", "a\\b"])
def test_names_with_control_characters_are_a_problem(tmp_path: Path, case_id: str) -> None:
    """The case is listed, the good ones beside it are as well."""
    zenodo(tmp_path, case_id, "good")
    cases = {case.case_id: case for case in list_cases(tmp_path, ZENODO)}
    assert cases["good"].problems == ()
    (problem,) = cases[case_id].problems
    assert "control character" in problem.anonymous
    assert case_id not in problem.anonymous


def test_names_that_are_no_text_are_a_problem(tmp_path: Path) -> None:
    """Bytes of another encoding in a file's name cannot stand in a table."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for breath in (b"exp", b"insp"):
        Path(
            str(folder)
            + "/"
            + (b"M\xfcller_" + breath + b".nii").decode("utf-8", "surrogateescape")
        ).touch()
    (case,) = list_cases(tmp_path, ZENODO)
    assert len(case.problems) == 1


def test_a_long_case_id_is_a_problem(tmp_path: Path) -> None:
    """With what is written after it, a name would exceed the file system's limit."""
    zenodo(tmp_path, "x" * 150, "y" * 195)
    fits, too_long = list_cases(tmp_path, ZENODO)
    assert fits.problems == ()
    assert "at most 200 bytes" in too_long.problems[0].anonymous


@pytest.mark.parametrize(("missing", "match"), [("exp", "expiration"), ("insp", "inspiration")])
def test_a_missing_partner_is_a_problem_of_that_case_alone(
    tmp_path: Path, missing: str, match: str
) -> None:
    """The case is named to people, not to logs."""
    zenodo(tmp_path, "good", "mueller")
    (tmp_path / f"scans/mueller_{missing}.nii.gz").unlink()
    good, bad = list_cases(tmp_path, ZENODO)
    assert good.problems == ()
    (problem,) = bad.problems
    assert isinstance(problem, MissingFileError)
    assert match in problem.anonymous
    assert "mueller" not in problem.anonymous
    assert "mueller" in str(problem)


def test_a_case_given_twice_is_a_problem(tmp_path: Path) -> None:
    """case_exp.nii beside case_exp.nii.gz: nobody knows which is meant."""
    zenodo(tmp_path, "a", "b")
    put(tmp_path, "scans/a_exp.nii", "lungMasks/b_insp.nii")
    first, second = list_cases(tmp_path, ZENODO)
    assert "one file as fixed, got 2" in first.problems[0].anonymous
    assert "one file as moving_mask, got 2" in second.problems[0].anonymous


def test_points_of_different_number_are_refused(tmp_path: Path) -> None:
    """Lists of two scans belong together row by row."""
    root = learn2reg(tmp_path, 1)
    put(root, "landmarksTr/LungCT_0001_0000.csv", "landmarksTr/LungCT_0001_0001.csv")
    (root / "landmarksTr/LungCT_0001_0000.csv").write_text("1,2,3\n4,5,6\n")
    (root / "landmarksTr/LungCT_0001_0001.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match="same number of landmarks"):
        load_landmarks(list_cases(tmp_path, L2R)[0])
