"""Cases in the layout of the Zenodo record."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import DataError
from lungreg.sources import list_cases
from tests.sources.made_sources import ZENODO, put, zenodo


@pytest.mark.parametrize("top", ["", "training", "a/b/training"])
def test_zenodo_cases_are_found_with_all_their_files(tmp_path: Path, top: str) -> None:
    """Also below other folders, as archives have them."""
    root = zenodo(tmp_path / top, "case_002", "case_001")
    first, second = list_cases(tmp_path, ZENODO)
    assert (first.case_id, second.case_id) == ("case_001", "case_002")
    assert first.fixed == root / "scans/case_001_exp.nii.gz"
    assert first.moving == root / "scans/case_001_insp.nii.gz"
    assert first.fixed_mask == root / "lungMasks/case_001_exp.nii.gz"
    assert first.moving_mask == root / "lungMasks/case_001_insp.nii.gz"
    assert first.landmarks == (root / "keypoints/case_001.csv",)
    assert first.problems == ()


def test_masks_and_landmarks_are_optional(tmp_path: Path) -> None:
    """None or one of them is no problem; plain .nii is read too."""
    put(tmp_path, "scans/a_exp.nii", "scans/a_insp.nii", "lungMasks/a_exp.nii.gz")
    (case,) = list_cases(tmp_path, ZENODO)
    assert case.fixed_mask is not None
    assert (case.moving_mask, case.landmarks, case.problems) == (None, (), ())


def test_landmarks_come_before_keypoints(tmp_path: Path) -> None:
    """Points set by people are the better measure."""
    zenodo(tmp_path, "a")
    put(tmp_path, "landmarks/a.csv")
    assert list_cases(tmp_path, ZENODO)[0].landmarks == (tmp_path / "landmarks/a.csv",)


def test_true_displacements_lie_beside(tmp_path: Path) -> None:
    """As simulation writes them; two for one case are a problem, one without scans is not."""
    zenodo(tmp_path, "a", "b")
    put(tmp_path, "displacements/a.nii.gz", "displacements/c.nii.gz", "displacements/note.txt")
    first, second = list_cases(tmp_path, ZENODO)
    assert first.displacement == tmp_path / "displacements/a.nii.gz"
    assert (second.displacement, first.problems, second.problems) == (None, (), ())
    put(tmp_path, "displacements/a.nii")
    assert (
        "one file as displacement, got 2" in list_cases(tmp_path, ZENODO)[0].problems[0].anonymous
    )


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    """Hidden files, resource forks, __MACOSX."""
    zenodo(tmp_path / "training", "a")
    put(tmp_path, "__MACOSX/training/scans/b_exp.nii.gz", "training/scans/._a_exp.nii.gz")
    put(tmp_path, "training/scans/.DS_Store", ".hidden/scans/c_exp.nii.gz", "readme.txt")
    (case,) = list_cases(tmp_path, ZENODO)
    assert (case.case_id, case.problems) == ("a", ())


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    """Scans without a scan, too."""
    (tmp_path / "scans").mkdir()
    with pytest.raises(DataError, match="holds nothing"):
        list_cases(tmp_path, ZENODO)


def test_two_roots_are_not_chosen_from(tmp_path: Path) -> None:
    """Training and test side by side: the user says which."""
    zenodo(tmp_path / "training", "a")
    zenodo(tmp_path / "test", "b")
    with pytest.raises(DataError, match="2 such folders; give one of them"):
        list_cases(tmp_path, ZENODO)
