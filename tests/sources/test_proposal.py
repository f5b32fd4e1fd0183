"""A folder of scans as people have them, and the way to read it that is proposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import DataError
from lungreg.sources.proposal import propose

IDS = ("P001", "P002", "P010")


def filled(folder: Path, *names: str, ids: tuple[str, ...] = IDS) -> Path:
    """Empty files, one of each name for every id."""
    for name in names:
        for case_id in ids:
            file = folder / name.replace("ID", case_id)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


@pytest.mark.parametrize(
    ("names", "fixed", "moving"),
    [
        (("ID/exp.nii.gz", "ID/insp.nii.gz"), "{case_id}/exp.nii.gz", "{case_id}/insp.nii.gz"),
        (("ID_Exhale.mha", "ID_Inhale.mha"), "{case_id}_Exhale.mha", "{case_id}_Inhale.mha"),
        (
            ("data/ID/ID-expiration.nii", "data/ID/ID-inspiration.nii"),
            "data/{case_id}/{case_id}-expiration.nii",
            "data/{case_id}/{case_id}-inspiration.nii",
        ),
        (
            ("EXP/scan_ID.nrrd", "INSP/scan_ID.nrrd"),
            "EXP/scan_{case_id}.nrrd",
            "INSP/scan_{case_id}.nrrd",
        ),
        (("ID_eBHCT.mhd", "ID_iBHCT.mhd"), "{case_id}_eBHCT.mhd", "{case_id}_iBHCT.mhd"),
        (("ID-FRC.nii.gz", "ID-TLC.nii.gz"), "{case_id}-FRC.nii.gz", "{case_id}-TLC.nii.gz"),
        (
            ("a/b/c/ID/ses-1/ct/Ausatmung.nii", "a/b/c/ID/ses-1/ct/Einatmung.nii"),
            "a/b/c/{case_id}/ses-1/ct/Ausatmung.nii",
            "a/b/c/{case_id}/ses-1/ct/Einatmung.nii",
        ),
    ],
)
def test_names_that_tell_the_breath(
    tmp_path: Path, names: tuple[str, ...], fixed: str, moving: str
) -> None:
    """By file or by folder, in the words of many sites; every case is found."""
    (found,) = propose(filled(tmp_path, *names))
    assert found.pattern is not None
    assert (found.pattern.fixed, found.pattern.moving) == (fixed, moving)
    assert [case.case_id for case in found.cases] == list(IDS)


@pytest.mark.parametrize(
    ("folders", "name"),
    [
        (("P01/2020-01", "P01/2021-05", "P02/2020-01", "P02/2021-05"), "{patient}/{case_id}"),
        (("x/P01/v1/ct", "x/P01/v2/ct", "x/P02/v1/ct"), "x/{patient}/{case_id}/ct"),
        (("P01/P01_1", "P01/P01_2", "P02/P02_1", "P03/P03_1"), "*/{case_id}"),
        (("A/v1", "B/v2", "C/v3"), "{patient}/{case_id}"),
        (("P01/2024-03-01", "P01/2025-03-01", "P02/2024-04-01"), "{patient}/{case_id}"),
        (("A/2024-03", "B/baseline"), "{patient}/{case_id}"),
        (("north/P01", "south/P02", "south/P03"), "*/{case_id}"),
        (("north/123456", "north/223457", "south/323458"), "*/{case_id}"),
        (("north/scan01", "south/scan02", "south/scan03"), "*/{case_id}"),
    ],
)
def test_patients_who_came_several_times(
    tmp_path: Path, folders: tuple[str, ...], name: str
) -> None:
    """Patient and visit make the id where neither is enough; every pair is found."""
    filled(tmp_path, "ID/exp.nii.gz", "ID/insp.nii.gz", ids=folders)
    filled(tmp_path, "ID/exp_mask.nii.gz", ids=folders[:1])
    patterns = [found.pattern for found in propose(tmp_path)]
    assert f"{name}/exp.nii.gz" in [pattern.fixed for pattern in patterns if pattern is not None]
    (found, *_) = propose(tmp_path)
    assert len(found.cases) == len(folders)
    assert found.left == 0
    if "{patient}" in name:
        assert len(patterns) == 1
        assert found.pattern is not None
        assert found.pattern.fixed_mask == f"{name}/exp_mask.nii.gz"


def test_masks_in_german(tmp_path: Path) -> None:
    """They are no second set of scans."""
    filled(tmp_path, "ID/Exspiration.nii.gz", "ID/Inspiration.nii.gz")
    filled(tmp_path, "ID/Exspiration_Maske.nii.gz", "ID/Inspiration_Maske.nii.gz")
    (found,) = propose(tmp_path)
    assert found.summary.endswith("3 pairs, 3 with masks, 0 with landmarks")


def test_masks_and_landmarks_are_found_with_them(tmp_path: Path) -> None:
    """Some cases may lack them."""
    filled(tmp_path, "ID/exp.nii.gz", "ID/insp.nii.gz")
    filled(tmp_path, "ID/exp_lungmask.nii.gz", "ID/insp_lungmask.nii.gz", ids=IDS[:2])
    filled(tmp_path, "ID/landmarks.csv", "notes.txt", ids=IDS[:1])
    (found,) = propose(tmp_path)
    assert found.pattern is not None
    assert found.pattern.fixed_mask == "{case_id}/exp_lungmask.nii.gz"
    assert found.pattern.moving_mask == "{case_id}/insp_lungmask.nii.gz"
    assert found.pattern.landmarks == "{case_id}/landmarks.csv"
    assert found.summary.endswith("3 pairs, 2 with masks, 1 with landmarks")


@pytest.mark.parametrize("folder", ["", "scans/"])
def test_scans_without_a_partner_are_counted(tmp_path: Path, folder: str) -> None:
    """A patient is not left out without a word, whichever layout is found."""
    filled(tmp_path, f"{folder}ID_exp.nii.gz", "lungMasks/ID_exp.nii.gz")
    filled(tmp_path, f"{folder}ID_insp.nii.gz", ids=IDS[:2])
    (found,) = propose(tmp_path)
    assert found.layout == ("zenodo" if folder else "pattern")
    assert "2 pairs" in found.summary
    assert found.summary.endswith("; 1 scan in no pair")


def test_two_sites_in_folders_of_their_own(tmp_path: Path) -> None:
    """What varies beside the id is left open."""
    filled(tmp_path, "north/ID/exp.nii.gz", "north/ID/insp.nii.gz", ids=IDS[:1])
    filled(tmp_path, "south/ID/exp.nii.gz", "south/ID/insp.nii.gz", ids=IDS[1:])
    (found,) = propose(tmp_path)
    assert found.pattern is not None
    assert found.pattern.fixed == "*/{case_id}/exp.nii.gz"
    assert len(found.cases) == 3


def test_two_kernels_are_a_question(tmp_path: Path) -> None:
    """Each is a way to read the folder; nothing is chosen in silence."""
    for kernel in ("B30f", "B60f"):
        filled(tmp_path, f"ID_exp_{kernel}.nii.gz", f"ID_insp_{kernel}.nii.gz")
    found = propose(tmp_path)
    patterns = {(p.pattern.fixed, p.pattern.moving) for p in found if p.pattern is not None}
    assert ("{case_id}_exp_B30f.nii.gz", "{case_id}_insp_B30f.nii.gz") in patterns
    assert ("{case_id}_exp_B60f.nii.gz", "{case_id}_insp_B60f.nii.gz") in patterns
    assert all(len(p.cases) == 3 for p in found)
    # Two patients or two visits of one are no pair.
    assert all(fixed == moving.replace("insp", "exp") for fixed, moving in patterns)


def test_series_of_dicom_are_folders(tmp_path: Path) -> None:
    """A folder of slices is a scan."""
    for case_id in IDS:
        for breath in ("Expiration", "Inspiration"):
            folder = tmp_path / case_id / breath
            folder.mkdir(parents=True)
            (folder / "IM0001").write_bytes(bytes(128) + b"DICM")
    (found,) = propose(tmp_path)
    assert found.pattern is not None
    assert found.pattern.fixed == "{case_id}/Expiration"
    assert len(found.cases) == 3


def test_a_known_layout_needs_no_pattern(tmp_path: Path) -> None:
    """Zenodo's, as `simulate` writes it."""
    filled(tmp_path, "scans/ID_exp.nii.gz", "scans/ID_insp.nii.gz", "lungMasks/ID_exp.nii.gz")
    (found,) = propose(tmp_path)
    assert (found.layout, found.pattern, len(found.cases)) == ("zenodo", None, 3)
    assert found.summary.startswith("layout zenodo: 3 pairs")


@pytest.mark.parametrize("names", [(), ("ID/a.nii.gz", "ID/b.nii.gz"), ("ID/exp.nii.gz",)])
def test_what_holds_no_pairs_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Names that do not tell the breath are not guessed."""
    with pytest.raises(DataError, match="differ by a word such as 'exp' and 'insp'"):
        propose(filled(tmp_path, *names))


def test_a_folder_that_is_not_there_is_no_folder_without_pairs(tmp_path: Path) -> None:
    """A slip in its name, or one scan in its place, is told as such."""
    file = tmp_path / "scan.nii.gz"
    file.touch()
    for folder, got in ((tmp_path / "gone", "nothing"), (file, "a file")):
        with pytest.raises(DataError, match=f"that is there, got {got}; check"):
            propose(folder)
