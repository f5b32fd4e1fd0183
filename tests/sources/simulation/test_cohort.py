"""What a simulated cohort leaves on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, StoreUnavailableError
from lungreg.formats.points.landmarks import decode_landmarks
from lungreg.formats.volumes import read_volume
from lungreg.sources.simulation import (
    Anatomy,
    BreathingSettings,
    SimulatedPair,
    simulate_cohort,
    write_pair,
)
from tests.sources.simulation.conftest import SMALL_SHAPE, SMALL_SPACING_MM


def _cohort(folder: Path, *, cases: int, seed: int, workers: int = 1) -> dict[str, bytes]:
    simulate_cohort(
        folder,
        cases=cases,
        seed=seed,
        shape=SMALL_SHAPE,
        spacing_mm=SMALL_SPACING_MM,
        workers=workers,
    )
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """One seed gives one set of files, whatever the workers; seeds and cases differ."""
    alone = _cohort(tmp_path / "a", cases=2, seed=4)
    together = _cohort(tmp_path / "b", cases=2, seed=4, workers=2)
    assert alone == together
    other = _cohort(tmp_path / "c", cases=1, seed=5)
    assert all(other[name] != alone[name] for name in other)
    for name in [n for n in alone if "case_001" in n]:
        assert alone[name] != alone[name.replace("case_001", "case_002")]


def test_layout_is_zenodos(tmp_path: Path) -> None:
    """Scans, masks and keypoints where the public record has them, and the truth beside."""
    names = _cohort(tmp_path, cases=1, seed=4)
    assert set(names) == {
        "scans/case_001_exp.nii.gz",
        "scans/case_001_insp.nii.gz",
        "lungMasks/case_001_exp.nii.gz",
        "lungMasks/case_001_insp.nii.gz",
        "keypoints/case_001.csv",
        "displacements/case_001.nii.gz",
    }


def test_files_hold_the_pair(tmp_path: Path, cut_pair: SimulatedPair) -> None:
    """Scans and masks read back as they were, each on its own grid."""
    write_pair(cut_pair, tmp_path, "case_007")
    for name, values, grid, mask in (
        ("scans/case_007_exp", cut_pair.fixed, cut_pair.fixed_grid, False),
        ("scans/case_007_insp", cut_pair.moving, cut_pair.moving_grid, False),
        ("lungMasks/case_007_exp", cut_pair.fixed_mask, cut_pair.fixed_grid, True),
        ("lungMasks/case_007_insp", cut_pair.moving_mask, cut_pair.moving_grid, True),
    ):
        volume = read_volume(tmp_path / f"{name}.nii.gz", mask=mask)
        np.testing.assert_array_equal(volume.data, values)
        assert volume.grid.same_as(grid)


def test_itk_carries_landmarks_by_the_written_truth(
    tmp_path: Path, pairs: list[SimulatedPair]
) -> None:
    """SimpleITK, reading scans, displacement and keypoints, finds each partner within 0.5 mm."""
    write_pair(pairs[0], tmp_path, "case_001")
    fixed = sitk.ReadImage(str(tmp_path / "scans" / "case_001_exp.nii.gz"))
    moving = sitk.ReadImage(str(tmp_path / "scans" / "case_001_insp.nii.gz"))
    field = sitk.ReadImage(str(tmp_path / "displacements" / "case_001.nii.gz"))
    transform = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    rows = decode_landmarks((tmp_path / "keypoints" / "case_001.csv").read_bytes())
    gaps = []
    for row in rows:
        here = fixed.TransformContinuousIndexToPhysicalPoint(row[:3])
        there = moving.TransformContinuousIndexToPhysicalPoint(row[3:])
        gaps.append(np.linalg.norm(np.subtract(transform.TransformPoint(here), there)))
    assert max(gaps) < 0.5


def test_cohort_from_a_ct(tmp_path: Path, oblique_anatomy: Anatomy) -> None:
    """With an anatomy, every case breathes with that CT, each in its own way."""
    settings = BreathingSettings(noise_hu=10.0)
    found = simulate_cohort(tmp_path, cases=2, seed=1, settings=settings, anatomy=oblique_anatomy)
    assert found == ("case_001", "case_002")
    first, second = (read_volume(tmp_path / "scans" / f"{name}_exp.nii.gz").data for name in found)
    assert np.abs(first - second).mean() > 20


def test_folder_that_cannot_be_written(tmp_path: Path, pairs: list[SimulatedPair]) -> None:
    """A file in the folder's place is an error of the store, naming no path in its rule."""
    (tmp_path / "scans").write_text("in the way")
    with pytest.raises(StoreUnavailableError, match="can be written") as caught:
        write_pair(pairs[0], tmp_path, "case_001")
    assert str(tmp_path) not in caught.value.anonymous


def test_empty_cohort_is_refused(tmp_path: Path) -> None:
    """At least one case, and a seed that numpy takes."""
    with pytest.raises(DataError, match="at least 1 case"):
        simulate_cohort(tmp_path, cases=0, seed=0)
    with pytest.raises(DataError, match="not negative"):
        simulate_cohort(tmp_path, cases=1, seed=-1)
