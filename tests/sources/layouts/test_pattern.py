"""Cases by the patterns of the user."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lungreg.config.input import Pattern
from lungreg.errors import ConfigError, DataError, MissingFileError
from lungreg.sources import list_cases, unmatched_patterns
from tests.sources.made_sources import by_pattern, put


def test_patterns_find_files_and_folders(tmp_path: Path) -> None:
    """The placeholder may come twice, a folder may be a DICOM series, * is any text."""
    put(
        tmp_path,
        "p1/p1_exp.nii",
        "p1/in 42/1.dcm",
        "p1/lung.nrrd",
        "p1/truth.nii",
        "p2/p2_exp.nii",
        "p2/in 7/1.dcm",
    )
    put(tmp_path, "p1/p2_exp.nii", "points.csv/p1")
    settings = by_pattern(
        fixed="./{case_id}/{case_id}_exp.nii",
        moving="{case_id}/in *",
        fixed_mask="{case_id}/lung.nrrd",
        displacement="{case_id}/truth.nii",
    )
    first, second = list_cases(tmp_path, settings)
    assert (first.case_id, second.case_id) == ("p1", "p2")
    assert first.fixed == tmp_path / "p1/p1_exp.nii"
    assert first.moving == tmp_path / "p1/in 42"
    assert (first.fixed_mask, second.fixed_mask) == (tmp_path / "p1/lung.nrrd", None)
    assert (first.displacement, second.displacement) == (tmp_path / "p1/truth.nii", None)
    assert first.problems == second.problems == ()


def test_a_patient_who_came_twice(tmp_path: Path) -> None:
    """Patient and case make the id, the patient is the group; two that read alike are a problem."""
    put(tmp_path, "P1/a/P1_exp.nii", "P1/a/insp.nii", "P1/b/P1_exp.nii", "P1/b/insp.nii")
    put(tmp_path, "P2/a/P2_exp.nii", "P2/a/insp.nii", "P2/a/P1_exp.nii")
    settings = by_pattern(
        fixed="{patient}/{case_id}/{patient}_exp.nii", moving="{patient}/{case_id}/insp.nii"
    )
    cases = list_cases(tmp_path, settings)
    assert [(case.case_id, case.group) for case in cases] == [
        ("P1_a", "P1"),
        ("P1_b", "P1"),
        ("P2_a", "P2"),
    ]
    assert not any(case.problems for case in cases)
    put(tmp_path, "P/1_a/P_exp.nii", "P_1/a/P_1_exp.nii")
    double = list_cases(tmp_path, settings)[-1]
    assert "one file as fixed, got 2" in double.problems[0].anonymous


def test_patterns_name_the_patient_everywhere_or_nowhere() -> None:
    """A mask without it would belong to all patients."""
    with pytest.raises(ValidationError, match=r"all paths of pattern contain \{patient\}"):
        Pattern(
            fixed="{patient}/{case_id}/e", moving="{patient}/{case_id}/i", fixed_mask="{case_id}"
        )


def test_patterns_are_literal_but_for_the_star(tmp_path: Path) -> None:
    """Brackets, dots and the like of a name mean themselves."""
    put(tmp_path, "a [1].(e).nii", "a [1].(i).nii", "a 1Xeyynii")
    settings = by_pattern(fixed="{case_id} [1].(e).nii", moving="{case_id} [1].(i).nii")
    (case,) = list_cases(tmp_path, settings)
    assert case.case_id == "a"


def test_two_matches_of_a_pattern_are_a_problem(tmp_path: Path) -> None:
    """Nobody knows which is meant; a missing partner is reported as well."""
    put(tmp_path, "a/e1.nii", "a/e2.nii", "a/i.nii", "b/e1.nii")
    first, second = list_cases(tmp_path, by_pattern(fixed="{case_id}/e*", moving="{case_id}/i.nii"))
    assert "one file as fixed, got 2" in first.problems[0].anonymous
    assert isinstance(second.problems[0], MissingFileError)


@pytest.mark.parametrize(
    ("fixed", "moving", "mask"),
    [
        ("*/{case_id}/exp.nii", "*/{case_id}/insp.nii", None),
        ("P*/{case_id}/exp.nii", "P*/{case_id}/insp.nii", "masks/{case_id}.nii"),
        ("*/{case_id}/*xp.nii", "*/{case_id}/insp.nii", "*/{case_id}/mask.nii"),
    ],
)
def test_scans_of_several_folders_of_a_star_are_no_case(
    tmp_path: Path, fixed: str, moving: str, mask: str | None
) -> None:
    """They may be of several patients who came on one day: pairing them would mix these up."""
    put(tmp_path, "P1/2024/insp.nii", "P3/2024/exp.nii")
    put(tmp_path, *(f"P{n}/2025/{name}.nii" for n in (7, 8) for name in ("exp", "insp")))
    put(tmp_path, "P1/2026/insp.nii", "P1/2026/exp.nii", "Pmasks/2026/mask.nii", "masks/2026.nii")
    torn, twice, whole = list_cases(
        tmp_path, by_pattern(fixed=fixed, moving=moving, **({"fixed_mask": mask} if mask else {}))
    )
    assert whole.problems == ()
    assert (whole.fixed_mask is not None) == (mask is not None)
    assert ["write {patient} for '*'" in str(p.mend) for p in torn.problems] == [True]
    assert len(twice.problems) == 3  # both scans are there twice


def test_the_id_may_be_in_the_names_of_files(tmp_path: Path) -> None:
    """Folders above them are looked at in the same way."""
    put(tmp_path, "P1/2024_insp.nii", "P3/2024_exp.nii", "P1/2025_insp.nii", "P1/2025_exp.nii")
    settings = by_pattern(fixed="*/{case_id}_exp.nii", moving="*/{case_id}_insp.nii")
    assert [len(case.problems) for case in list_cases(tmp_path, settings)] == [1, 0]


def test_scans_of_two_days_are_a_case(tmp_path: Path) -> None:
    """Folders of dates above the patient's."""
    put(tmp_path, "2024-03-01/P1/exp.nii", "2024-03-02/P1/insp.nii")
    settings = by_pattern(fixed="*/{case_id}/exp.nii", moving="*/{case_id}/insp.nii")
    (case,) = list_cases(tmp_path, settings)
    assert case.problems == ()


def test_a_star_below_the_case_may_differ(tmp_path: Path) -> None:
    """As folders of series do, named after each scan."""
    put(tmp_path, "P1/series 3/exp.nii", "P1/series 7/insp.nii")
    settings = by_pattern(fixed="{case_id}/*/exp.nii", moving="{case_id}/*/insp.nii")
    (case,) = list_cases(tmp_path, settings)
    assert case.problems == ()


def test_a_top_folder_of_an_archive_is_passed_through(tmp_path: Path) -> None:
    """Patterns are written for what lies in it."""
    put(tmp_path, "data/a/e.nii", "data/a/i.nii", "__MACOSX/x")
    settings = by_pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii")
    assert [case.case_id for case in list_cases(tmp_path, settings)] == ["a"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A user's folder may hold links, even to itself."""
    put(tmp_path, "a/e.nii", "a/i.nii")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    settings = by_pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii")
    assert [case.case_id for case in list_cases(tmp_path, settings)] == ["a"]


@pytest.mark.parametrize("pattern", ["/data/{case_id}.nii", "../{case_id}.nii"])
def test_patterns_stay_inside_the_source(tmp_path: Path, pattern: str) -> None:
    """They are relative to it."""
    with pytest.raises(ConfigError, match="stays inside"):
        list_cases(tmp_path, by_pattern(fixed=pattern, moving="{case_id}/i.nii"))


@pytest.mark.parametrize(
    ("fixed", "place", "holds"),
    [
        ("{case_id}/expi.nii", "p1", "exp.nii, insp.nii, lung.nii, ..."),
        ("{case_id}/ct/exp.nii", "p1", "exp.nii, insp.nii, lung.nii, ..."),
        ("{case_id}_exp.nii", ".", "p1/, p2/"),
        ("scans/{case_id}_exp.nii", ".", "p1/, p2/"),
    ],
)
def test_a_pattern_without_a_match_names_the_folder_it_leads_to(
    tmp_path: Path, fixed: str, place: str, holds: str
) -> None:
    """With three names in it, for the console alone."""
    put(tmp_path, "p1/exp.nii", "p1/insp.nii", "p1/lung.nii", "p1/z.csv", "p2/exp.nii")
    with pytest.raises(DataError, match="init FOLDER") as caught:
        list_cases(tmp_path, by_pattern(fixed=fixed, moving="{case_id}/i.nii"))
    assert caught.value.where == f"{tmp_path / place} (holds {holds})"
    assert fixed in caught.value.rule


def test_one_scan_that_no_case_has_is_a_pattern_without_a_match(tmp_path: Path) -> None:
    """Not so many cases to reject one by one."""
    put(tmp_path, "p1/exp.nii", "p1/insp.nii", "p2/exp.nii")
    with pytest.raises(DataError, match=r"ingest\.pattern\.moving finds scans") as caught:
        list_cases(tmp_path, by_pattern(fixed="{case_id}/exp.nii", moving="{case_id}/in.nii"))
    assert caught.value.where == f"{tmp_path / 'p1'} (holds exp.nii, insp.nii)"


def test_a_pattern_of_masks_without_a_match_is_told(tmp_path: Path) -> None:
    """Where some case has a file there is nothing to tell."""
    put(tmp_path, "p1/exp.nii", "p1/insp.nii", "p1/lung.nii", "p2/exp.nii", "p2/insp.nii")
    scans = {"fixed": "{case_id}/exp.nii", "moving": "{case_id}/insp.nii"}
    settings = by_pattern(**scans, fixed_mask="{case_id}/lung.nii", landmarks="{case_id}.csv")
    cases = list_cases(tmp_path, settings)
    assert unmatched_patterns(tmp_path, settings, cases, show_names=True) == [
        f"ingest.pattern.landmarks matches nothing: {tmp_path} holds p1/, p2/"
    ]
    (note,) = unmatched_patterns(tmp_path, settings, cases, show_names=False)
    assert note == "ingest.pattern.landmarks matches nothing"
