"""Cases in the layout of Learn2Reg, by an index from anyone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lungreg.errors import DataError, UnsafeInputError
from lungreg.sources import list_cases
from lungreg.sources.source_case import load_landmarks
from tests.sources.made_sources import L2R, learn2reg, put


def test_learn2reg_pairs_are_found_with_masks_and_points(tmp_path: Path) -> None:
    """0000 is expiration; points are a list for each scan, joined to six columns."""
    root = learn2reg(tmp_path / "LungCT", 1, 2)
    for breath in (0, 1):
        path = put(root, f"keypointsTr/LungCT_0001_{breath:04d}.csv")
        name = f"keypointsTr/LungCT_0001_{breath:04d}.csv"
        (path / name).write_text(f"{breath},2,3\n4,5,6\n")
    first, second = list_cases(tmp_path, L2R)
    assert (first.case_id, second.case_id) == ("LungCT_0001", "LungCT_0002")
    assert first.fixed == root / "imagesTr/LungCT_0001_0000.nii.gz"
    assert first.moving == root / "imagesTr/LungCT_0001_0001.nii.gz"
    assert first.moving_mask == root / "masksTr/LungCT_0001_0001.nii.gz"
    assert (first.problems, second.problems) == ((), ())
    points = load_landmarks(first)
    assert points is not None
    np.testing.assert_array_equal(points, [[0, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]])
    assert load_landmarks(second) is None


def test_points_of_one_scan_alone_are_left_out_with_a_warning(tmp_path: Path) -> None:
    """A case is not lost for want of half its landmarks."""
    put(learn2reg(tmp_path, 1), "keypointsTr/LungCT_0001_0000.csv")
    (case,) = list_cases(tmp_path, L2R)
    assert (case.landmarks, case.problems) == ((), ())
    assert "for both scans" in case.warnings[0].anonymous


def test_a_listed_scan_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """Of that case alone."""
    (learn2reg(tmp_path, 1, 2) / "imagesTr/LungCT_0001_0001.nii.gz").unlink()
    first, second = list_cases(tmp_path, L2R)
    assert "inspiration" in first.problems[0].anonymous
    assert second.problems == ()


@pytest.mark.parametrize("name", ["/etc/passwd", "imagesTr/../../x_0000.nii.gz"])
def test_an_index_does_not_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    """An index comes with the archive, from anyone."""
    learn2reg(tmp_path, 1, registration_test=[{"fixed": name, "moving": name}])
    problems = [case.problems for case in list_cases(tmp_path, L2R)]
    assert sorted(map(len, problems)) == [0, 1]
    assert isinstance(next(p for p in problems if p)[0], UnsafeInputError)


@pytest.mark.parametrize("name", ["a\0b", "x" * 400, "\ud800", "imagesTr/no\nname.nii"])
def test_an_index_of_impossible_names_is_a_problem_of_one_case(tmp_path: Path, name: str) -> None:
    """Names that no file system takes."""
    learn2reg(tmp_path, 1, registration_test=[{"fixed": name, "moving": name}])
    assert sorted(bool(case.problems) for case in list_cases(tmp_path, L2R)) == [False, True]


def test_images_may_lie_beside_the_index(tmp_path: Path) -> None:
    """A scan is then not taken for its own mask."""
    put(tmp_path, "a_0000.nii", "a_0001.nii", "masks/a_0000.nii")
    pairs = [{"fixed": "a_0000.nii", "moving": "a_0001.nii"}]
    (tmp_path / "dataset.json").write_text(json.dumps({"training_paired_images": pairs}))
    (case,) = list_cases(tmp_path, L2R)
    assert (case.case_id, case.problems) == ("a", ())
    assert (case.fixed_mask, case.moving_mask) == (tmp_path / "masks/a_0000.nii", None)


def test_one_fixed_scan_in_two_pairs_is_a_problem(tmp_path: Path) -> None:
    """They would have one case id."""
    pair = {"fixed": "imagesTr/LungCT_0001_0000.nii.gz", "moving": "imagesTr/other.nii.gz"}
    learn2reg(tmp_path, 1, registration_test=[pair])
    (case,) = list_cases(tmp_path, L2R)
    assert any("listed once" in problem.anonymous for problem in case.problems)


@pytest.mark.parametrize(
    "content", [b"not json", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"training_paired_images": [1]}']
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """In our own words."""
    (tmp_path / "LungCT_dataset.json").write_bytes(content)
    with pytest.raises(DataError, match=r"the index of a dataset is JSON|an index lists pairs"):
        list_cases(tmp_path, L2R)


@pytest.mark.parametrize("pair", [{"fixed": 3, "moving": "a"}, {"moving": "a"}, None])
def test_an_index_of_strange_pairs_is_refused(tmp_path: Path, pair: object) -> None:
    """Pairs are two names."""
    learn2reg(tmp_path, 1, registration_test=[pair])
    with pytest.raises(DataError, match="lists pairs of 'fixed' and 'moving'"):
        list_cases(tmp_path, L2R)


def test_an_index_without_pairs_is_reported(tmp_path: Path) -> None:
    """Nothing to do is no success."""
    learn2reg(tmp_path)
    with pytest.raises(DataError, match="which lists pairs, got none"):
        list_cases(tmp_path, L2R)
