"""Cases on their way from the stage to the network, and the cache between."""

from __future__ import annotations

import dataclasses
import os
import pickle
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lungreg.config import Augmentation, Preprocessing
from lungreg.errors import DataError
from lungreg.formats.transforms.rounding import STEP_MM
from lungreg.learning.prepared_cases import PreparedCases, prepare_case
from lungreg.learning.preprocessing import PreparedPair, prepare_pair
from lungreg.records import Case
from lungreg.registration.alignment import align
from lungreg.registration.pair import read_pair
from lungreg.spatial.geometry import Grid, apply_affine
from lungreg.testing import FaultyStage, MemoryStage
from tests.grids import voxels
from tests.small_cases import breath, put_case

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = Preprocessing(spatial_size=(16, 16, 16), alignment="world")
CASE_BYTES = 4 * 16**3 * 2 + 2 * 16**3


@pytest.fixture
def stage() -> FaultyStage:
    """Two cases on a stage that counts reads."""
    inner = MemoryStage()
    put_case(inner, "a", seed=1)
    put_case(inner, "b", seed=2, masks=False, points=False)
    return FaultyStage(inner)


@pytest.fixture
def prepared(
    stage: FaultyStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PreparedCases]:
    """A cache in a temporary folder of the test's own, with room for everything."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield (cases := make(stage))
    cases.remove()


def make(stage: FaultyStage, **changes: object) -> PreparedCases:
    """The cases of a run."""
    values: dict[str, object] = {
        "stage": stage,
        "settings": SETTINGS,
        "cache_gb": 1.0,
        "name": "train-1",
    }
    return PreparedCases(**{**values, **changes})  # type: ignore[arg-type]


def case_a() -> Case:
    """The case with masks and landmarks, five files."""
    return put_case(MemoryStage(), "a", seed=1)


def case_b() -> Case:
    """The case of two files."""
    return put_case(MemoryStage(), "b", seed=2, masks=False, points=False)


def assert_same(first: PreparedPair, second: PreparedPair) -> None:
    """All tensors and places are equal to the bit."""
    for field in dataclasses.fields(PreparedPair):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, torch.Tensor):
            assert type(two) is torch.Tensor
            assert one.dtype == two.dtype
            assert torch.equal(one, two)
        elif isinstance(one, Grid):
            assert one.same_as(two, tolerance_mm=0.0)
        elif one is None:
            assert two is None
        else:
            np.testing.assert_array_equal(one, two)


def kept(prepared: PreparedCases) -> list[Path]:
    """The files of a cache."""
    return sorted(prepared.folder.glob("*"))


class TestDisplacement:
    def test_is_read_only_where_it_is_wanted(self, prepared: PreparedCases) -> None:
        """A file that is as large as the scans stays unread without a loss that needs it."""
        inner = MemoryStage()
        case = put_case(inner, "a", seed=1, truth=True)
        stage = FaultyStage(inner)
        for wanted, reads in ((False, 5), (True, 6)):
            before = stage.reads
            found = make(stage, with_displacement=wanted)
            first, second = found.load(case), found.load(case)
            assert stage.reads - before == reads
            assert (first.true_displacement_mm is not None) is wanted
            assert_same(first, second)

    def test_is_the_truth_at_the_network_s_voxels(self) -> None:
        """Of a linear map, on the network's grid, in mm between both worlds."""
        stage = MemoryStage()
        case = put_case(stage, "a", seed=1, truth=True)
        pair = prepare_case(stage, case, SETTINGS, with_displacement=True)
        points = pair.grid.to_world(voxels(pair.grid))
        expected = (apply_affine(breath(1), points) - points).T.reshape(3, 16, 16, 16)
        assert pair.true_displacement_mm is not None
        inner = (slice(None), *[slice(1, -1)] * 3)
        np.testing.assert_allclose(pair.true_displacement_mm[inner], expected[inner], atol=STEP_MM)

    def test_damaged_one_names_the_case(self) -> None:
        """A file that was overwritten on the stage."""
        stage = MemoryStage()
        case = put_case(stage, "a", seed=1, truth=True)
        assert case.displacement is not None
        stage.write(case.displacement, b"garbage")
        with pytest.raises(DataError, match="NIfTI") as caught:
            prepare_case(stage, case, SETTINGS, with_displacement=True)
        assert caught.value.where == "a"


class TestLeftovers:
    def test_a_cache_that_nothing_has_used_for_a_day_is_removed(
        self, stage: FaultyStage, prepared: PreparedCases
    ) -> None:
        """Of a run whose workers were killed; not that of a run that still reads its cases."""
        killed, running = make(stage, name="train-2"), make(stage, name="train-3")
        for cases in (prepared, killed, running):
            cases.load(case_a())
            os.utime(cases.folder, (1, 1))
        running.load(case_a())
        prepared.remove_leftovers()
        assert not killed.folder.exists()
        assert kept(running)
        assert kept(prepared)
        running.remove()

    def test_what_is_no_cache_of_this_user_is_left_alone(
        self, prepared: PreparedCases, tmp_path: Path
    ) -> None:
        """A folder that others can read, a link, and what has another name."""
        own = f"lungreg-{os.getuid()}-"
        others = [tmp_path / name for name in (f"{own}open", "lungreg-ray-1", f"{own}link")]
        others[0].mkdir(mode=0o755)
        others[1].mkdir(mode=0o700)
        others[2].symlink_to(others[1])
        for folder in others:
            os.utime(folder, (1, 1), follow_symlinks=False)
        prepared.remove_leftovers()
        assert all(folder.is_dir() for folder in others)


class TestCache:
    def test_each_file_is_read_once(self, stage: FaultyStage, prepared: PreparedCases) -> None:
        """Five files of one case and two of the other, however often they are used."""
        for _ in range(3):
            prepared.load(case_a())
            prepared.load(case_b())
        assert stage.reads == 7

    def test_workers_of_a_node_share_it(self, stage: FaultyStage, prepared: PreparedCases) -> None:
        """What one worker prepared another reads from the folder."""
        prepared.load(case_a())
        other = pickle.loads(pickle.dumps(prepared))
        other.load(case_a())
        assert stage.reads == 5
        assert other.stage.reads == 5

    def test_fresh_and_cached_are_the_same(self, prepared: PreparedCases) -> None:
        """Tensors, types, grid and `A`, with and without masks and landmarks."""
        for case in (case_a(), case_b()):
            fresh = prepared.load(case)
            assert_same(fresh, prepared.load(case))
            assert_same(fresh, prepare_case(prepared.stage, case, SETTINGS))

    def test_cached_tensors_can_be_changed(self, prepared: PreparedCases) -> None:
        """A worker that writes into a tensor changes nothing for the next epoch."""
        prepared.load(case_a())
        first = prepared.load(case_a())
        before = first.fixed.clone()
        first.fixed.zero_()
        assert torch.equal(prepared.load(case_a()).fixed, before)

    def test_holds_no_more_than_allowed(self, stage: FaultyStage, prepared: PreparedCases) -> None:
        """What does not fit is prepared again each time."""
        full = make(stage, cache_gb=1.5 * CASE_BYTES / 1e9)
        for _ in range(2):
            full.load(case_a())
            full.load(case_b())
        assert len(kept(full)) == 1
        assert stage.reads == 5 + 2 + 2
        full.remove()
        none = make(stage, cache_gb=0.0)
        none.load(case_a())
        assert kept(none) == []

    @pytest.mark.parametrize(
        "damage", [b"", b"garbage", b"PK\x03\x04 cut off", "half", "hole"], ids=str
    )
    def test_damaged_file_is_made_again(
        self, stage: FaultyStage, prepared: PreparedCases, damage: bytes | str
    ) -> None:
        """A cut, empty or foreign file in the cache costs time, never a run."""
        fresh = prepared.load(case_a())
        (file,) = kept(prepared)
        whole = file.read_bytes()
        if damage == "half":
            file.write_bytes(whole[: len(whole) // 2])
        elif damage == "hole":
            file.write_bytes(whole[:200] + bytes(2000) + whole[2200:])
        else:
            file.write_bytes(damage)  # type: ignore[arg-type]
        assert_same(fresh, prepared.load(case_a()))
        assert stage.reads == 10
        assert_same(fresh, prepared.load(case_a()))
        assert stage.reads == 10

    def test_other_settings_are_other_tensors(self, stage: FaultyStage, prepared: PreparedCases):
        """Size, window and alignment make another file; augmentation, which comes later, none."""
        prepared.load(case_a())
        for change in ({"spatial_size": (8, 16, 16)}, {"hu_window": (-1000.0, 0.0)}):
            make(stage, settings=SETTINGS.model_copy(update=change)).load(case_a())
        assert len(kept(prepared)) == 3
        still = SETTINGS.model_copy(update={"augmentation": Augmentation(noise_std=None)})
        make(stage, settings=still).load(case_a())
        assert stage.reads == 15

    def test_cases_without_fingerprint_are_kept_apart(self, prepared: PreparedCases) -> None:
        """Cases made by hand have no fingerprint: one never stands for another."""
        bare = [dataclasses.replace(case, fingerprint="") for case in (case_a(), case_b())]
        first, second = (prepared.load(case) for case in bare)
        assert not torch.equal(first.fixed, second.fixed)
        assert_same(prepared.load(bare[0]), first)

    def test_changed_files_are_read_again(self, prepared: PreparedCases) -> None:
        """Another fingerprint is another case."""
        prepared.load(case_a())
        prepared.load(dataclasses.replace(case_a(), fingerprint="new"))
        assert prepared.stage.reads == 10  # type: ignore[attr-defined]

    def test_full_disk_costs_time_only(
        self, stage: FaultyStage, prepared: PreparedCases, tmp_path: Path
    ) -> None:
        """Where nothing can be written, cases are prepared again each time."""
        # A file where the folder should be: nothing can be kept.
        prepared.folder.write_bytes(b"")
        fresh = prepared.load(case_a())
        assert_same(prepared.load(case_a()), fresh)
        assert stage.reads == 10
        prepared.folder.unlink()


class TestFolder:
    def test_is_private_and_goes(self, prepared: PreparedCases, tmp_path: Path) -> None:
        """Patients' scans are for nobody else on the node, and are gone after the run."""
        prepared.load(case_a())
        assert prepared.folder.parent == tmp_path
        assert stat.S_IMODE(prepared.folder.stat().st_mode) == 0o700
        assert [file.suffix for file in kept(prepared)] == [".npz"]
        prepared.remove()
        assert not prepared.folder.exists()
        prepared.remove()

    def test_name_says_user_and_run_and_no_patient(self, prepared: PreparedCases) -> None:
        """Runs do not meet; files are named by digests."""
        prepared.load(case_a())
        assert prepared.folder.name == f"lungreg-{os.getuid()}-train-1"
        assert all(len(file.stem) == 64 for file in kept(prepared))

    @pytest.mark.parametrize("kind", ["open", "link"])
    def test_folder_of_others_is_not_used(
        self, prepared: PreparedCases, tmp_path: Path, kind: str
    ) -> None:
        """A folder that somebody laid out before, readable or elsewhere, gets nothing."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        if kind == "link":
            prepared.folder.symlink_to(elsewhere)
        else:
            prepared.folder.mkdir()
            prepared.folder.chmod(0o755)
        prepared.load(case_a())
        assert list(elsewhere.iterdir()) == []
        assert kept(prepared) == []
        if kind == "link":
            prepared.folder.unlink()


class TestAlign:
    def test_mode_chooses(self, stage: FaultyStage) -> None:
        """`A` is the one that is asked for."""
        pair = read_pair(stage, case_a())
        assert align(pair, SETTINGS.hu_window, "world").kind == "world"
        assert align(pair, SETTINGS.hu_window, "centre").kind == "centre"
        masks = align(pair, SETTINGS.hu_window, "masks")
        assert masks.kind == "masks"
        assert not np.allclose(masks.affine, np.eye(4))

    def test_prepared_through_the_alignment(self, stage: FaultyStage) -> None:
        """The tensors of a case are those of its pair through its `A`."""
        settings = SETTINGS.model_copy(update={"alignment": "masks"})
        pair = read_pair(stage, case_a())
        expected = prepare_pair(
            pair, align(pair, settings.hu_window, settings.alignment).affine, settings
        )
        assert_same(prepare_case(stage, case_a(), settings), expected)

    def test_masks_bring_the_lungs_together(self, stage: FaultyStage) -> None:
        """By masks the lungs overlap more than by the headers."""
        settings = SETTINGS.model_copy(update={"alignment": "masks"})
        overlaps = []
        for chosen in (SETTINGS, settings):
            found = prepare_case(stage, case_a(), chosen)
            assert found.fixed_mask is not None
            assert found.moving_mask is not None
            both = float((found.fixed_mask * found.moving_mask).sum())
            overlaps.append(2 * both / float(found.fixed_mask.sum() + found.moving_mask.sum()))
        assert overlaps[1] > overlaps[0] + 0.01
