"""Taking one pair in: every check with its reason, and what ends up on the stage."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError, MissingFileError, StoreUnavailableError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.points.landmarks import decode_landmarks, encode_landmarks
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.records import Verdict
from lungreg.registration.pair import read_pair
from lungreg.sources import SourceCase
from lungreg.sources.intake import Intake, stage_sizes, take_in
from lungreg.spatial.geometry import Grid
from lungreg.stores.manifest import STAGE_NAMES, ManifestRow
from lungreg.testing import FaultyStage, MemoryStage
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, landmarks, scan

INT16 = Stored(dtype="int16")
SHAPE = FIXED_GRID.shape
AFFINE = FIXED_GRID.affine


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


@pytest.fixture
def source(tmp_path: Path) -> SourceCase:
    """A sound pair with masks and landmarks in a folder."""
    fixed, fixed_mask = scan(FIXED_GRID, 0)
    moving, moving_mask = scan(MOVING_GRID, 0, breath(0))
    files = {
        "fixed.nii.gz": encode_volume(fixed, FIXED_GRID, INT16),
        "moving.nii.gz": encode_volume(moving, MOVING_GRID, INT16),
        "fixed_mask.nii.gz": encode_labels(fixed_mask, FIXED_GRID),
        "moving_mask.nii.gz": encode_labels(moving_mask, MOVING_GRID),
        "landmarks.csv": encode_landmarks(landmarks(0)),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return SourceCase(
        case_id="a",
        fixed=tmp_path / "fixed.nii.gz",
        moving=tmp_path / "moving.nii.gz",
        fixed_mask=tmp_path / "fixed_mask.nii.gz",
        moving_mask=tmp_path / "moving_mask.nii.gz",
        landmarks=(tmp_path / "landmarks.csv",),
    )


def take(
    stage: MemoryStage | FaultyStage,
    source: SourceCase,
    known: ManifestRow | None = None,
    *,
    group: str | None = None,
    max_voxels: int = 10**6,
) -> Intake:
    """Take a case in."""
    there = stage_sizes(stage)
    return take_in(stage, source, known, there=there, group=group, max_voxels=max_voxels)


def names(stage: MemoryStage) -> set[str]:
    """What the stage holds."""
    return {info.name for info in stage.list()}


def write(path: Path | None, data: bytes) -> None:
    """Replace a file of a source."""
    assert path is not None
    path.write_bytes(data)


def volume_bytes(values: NDArray[Any]) -> bytes:
    """A NIfTI file of any number of dimensions and any type."""
    return encode_nifti(values, AFFINE)


def with_spacing(spacing: float) -> bytes:
    """A file whose header says another first spacing."""
    header, values = nib.Nifti1Header(), np.arange(216, dtype=np.int16)
    header.set_data_dtype(np.int16)
    header.set_data_shape((6, 6, 6))
    header["pixdim"][1] = spacing
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4) + values.tobytes()


def singular() -> bytes:
    """A file two of whose voxel axes are one."""
    header, values = nib.Nifti1Header(), np.arange(216, dtype=np.int16)
    header.set_data_dtype(np.int16)
    header.set_data_shape((6, 6, 6))
    header.set_sform(np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), code=1)
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4) + values.tobytes()


class TestAccepted:
    def test_sound_pair(self, stage: MemoryStage, source: SourceCase) -> None:
        """All files come to their places, told with size and digest; the case can be read."""
        intake = take(stage, source, group="patient 1")
        row = intake.row
        assert (row.verdict, row.reasons, row.group) == (Verdict.PASS, (), "patient 1")
        assert intake.uploaded == 5
        assert names(stage) == {name.format("a") for name in STAGE_NAMES.values()}
        for file in row.files:
            data = stage.read(file.name)
            assert file.size == len(data)
            assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert row.fixed is not None
        assert row.fixed.shape == SHAPE
        assert row.fixed.spacing_mm == pytest.approx((14.0, 15.0, 13.0), abs=1e-4)
        assert row.fixed.orientation == "LAS"
        assert row.fixed.hu_offset == 0.0
        pair = read_pair(stage, row.case())
        assert pair.case.group == "patient 1"
        np.testing.assert_allclose(pair.landmarks_vox, landmarks(0), atol=1e-5)

    def test_gzipped_nifti_is_kept_to_the_bit(self, stage: MemoryStage, source: SourceCase) -> None:
        """Files that are as the stage wants them are not written anew."""
        take(stage, source)
        assert source.fixed is not None
        assert stage.read(STAGE_NAMES["fixed"].format("a")) == source.fixed.read_bytes()

    def test_other_formats_are_converted(
        self, stage: MemoryStage, source: SourceCase, tmp_path: Path
    ) -> None:
        """Plain NIfTI becomes gzipped NIfTI of the same values, type, scale and labels."""
        fixed, mask = scan(FIXED_GRID, 0)
        stored = Stored(dtype="uint16", intercept=-1024.0)
        for name, data in (
            ("plain", encode_volume(fixed, FIXED_GRID, stored)),
            ("plain_mask", encode_labels(mask.astype(np.int16) * 300, FIXED_GRID)),
        ):
            (tmp_path / f"{name}.nii").write_bytes(gzip.decompress(data))
        plain = dataclasses.replace(
            source, fixed=tmp_path / "plain.nii", fixed_mask=tmp_path / "plain_mask.nii"
        )
        row = take(stage, plain).row
        assert row.verdict is Verdict.PASS
        pair = read_pair(stage, row.case())
        np.testing.assert_array_equal(pair.fixed.data, np.rint(fixed))
        assert pair.fixed.stored == stored
        assert set(np.unique(pair.fixed_mask)) == {0, 300, 600}

    def test_two_scans_are_enough(self, stage: MemoryStage, source: SourceCase) -> None:
        """Masks and landmarks are optional."""
        bare = dataclasses.replace(source, fixed_mask=None, moving_mask=None, landmarks=())
        intake = take(stage, bare)
        assert (intake.row.verdict, intake.uploaded) == (Verdict.PASS, 2)

    def test_offset_is_found_and_told(self, stage: MemoryStage, source: SourceCase) -> None:
        """A scan stored as HU + 1000 keeps its values; its offset goes into the manifest."""
        moving, _ = scan(MOVING_GRID, 0, breath(0))
        moving += np.random.default_rng(0).normal(0, 10, moving.shape).astype(np.float32)
        data = encode_volume(moving + 1000, MOVING_GRID, INT16)
        write(source.moving, data)
        row = take(stage, source).row
        assert row.verdict is Verdict.PASS
        assert row.moving is not None
        assert row.moving.hu_offset == 1000.0
        assert row.case().moving_hu_offset == 1000.0
        assert row.case().fixed_hu_offset == 0.0
        assert stage.read(STAGE_NAMES["moving"].format("a")) == data
        pair = read_pair(stage, row.case())
        np.testing.assert_array_equal(pair.moving_hu, np.rint(moving + 1000) - 1000)


class TestWarned:
    def test_strange_intensities(self, stage: MemoryStage, source: SourceCase) -> None:
        """A scan that does not look like Hounsfield units is taken in with a warning."""
        fixed, _ = scan(FIXED_GRID, 0)
        write(source.fixed, encode_volume(fixed * 0.05 + 5000, FIXED_GRID, INT16))
        row = take(stage, source).row
        assert row.verdict is Verdict.WARN
        assert row.reasons == (
            "implausible_hu: the fixed scan does not look like Hounsfield units",
        )
        assert row.files

    def test_landmarks_outside(self, stage: MemoryStage, source: SourceCase) -> None:
        """A few points beyond their scan are told; in either scan."""
        points = landmarks(0)
        points[0, 0] = 19.6
        points[1, 4] = -0.6
        points[2, 2] = 17.4
        write(source.landmarks[0], encode_landmarks(points))
        row = take(stage, source).row
        assert row.verdict is Verdict.WARN
        assert row.reasons == ("landmarks_outside: 2 of 20 landmarks lie outside",)

    def test_what_the_source_warns_of(self, stage: MemoryStage, source: SourceCase) -> None:
        """Warnings of the layout come along, without their places."""
        warned = dataclasses.replace(source, warnings=(DataError("odd", where="/secret/file"),))
        row = take(stage, warned).row
        assert (row.verdict, row.reasons) == (Verdict.WARN, ("data: odd",))


class TestRejected:
    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda: b"", "unreadable_file: "),
            (lambda: b"no scan at all", "unreadable_file: "),
            (lambda: volume_bytes(np.ones((6, 6, 6)))[:-40], "unreadable_file: "),
            (lambda: volume_bytes(np.ones((6, 6, 6, 2))), "data: a volume has three dimensions"),
            (lambda: volume_bytes(np.ones((6, 6))), "data: a volume has three dimensions"),
            (lambda: volume_bytes(np.ones((6, 6, 6)) * 1j), "data: values must be real numbers"),
            (lambda: volume_bytes(np.full((6, 6, 6), np.nan)), "data: every value of a scan is"),
            (lambda: volume_bytes(np.full((6, 6, 6), 7)), "data: a scan is not constant, got 7"),
            (lambda: with_spacing(0.0), "data: the voxel spacing in a header is positive"),
            (lambda: with_spacing(-2.0), "data: the voxel spacing in a header is positive"),
            (singular, "data: an affine must be invertible"),
            (lambda: volume_bytes(np.zeros((60, 60, 60))), "unsafe_input: a volume has at most"),
        ],
        ids=[
            *("empty", "garbage", "truncated", "4d", "2d", "complex", "nan", "constant"),
            *("zero-spacing", "negative-spacing", "singular", "too-large"),
        ],
    )
    @pytest.mark.parametrize("role", ["fixed", "moving"])
    def test_scan_that_is_none(
        self,
        stage: MemoryStage,
        source: SourceCase,
        role: str,
        make: Callable[[], bytes],
        reason: str,
    ) -> None:
        """Each kind of bad scan is refused, by its role; nothing of the case is on the stage."""
        bare = dataclasses.replace(source, fixed_mask=None, moving_mask=None, landmarks=())
        write(getattr(bare, role), make())
        intake = take(stage, bare, max_voxels=100_000)
        assert intake.row.verdict is Verdict.REJECT
        code, rule = reason.split(": ", 1)
        assert intake.row.reasons[0].startswith(f"{code}: {role} scan: {rule}")
        assert (intake.row.files, intake.uploaded) == ((), 0)
        assert names(stage) == set()

    @pytest.mark.parametrize(
        ("mask", "reason"),
        [
            (np.zeros(SHAPE, np.uint8), "a lung mask is neither empty nor full, got empty"),
            (np.full(SHAPE, 2, np.uint8), "a lung mask is neither empty nor full, got full"),
            (np.full(SHAPE, -1, np.int16), "labels of a mask are not negative, got -1"),
            (np.eye(20, 16)[..., None] * np.full(18, 0.4, np.float32), "a mask holds whole"),
            (scan(FIXED_GRID, 0)[0].astype(np.int16), "labels of a mask are not negative"),
            (
                np.arange(np.prod(SHAPE)).reshape(SHAPE) % 200,
                "a mask holds at most 128 different labels, got 200",
            ),
        ],
    )
    def test_mask_that_is_none(
        self, stage: MemoryStage, source: SourceCase, mask: NDArray[Any], reason: str
    ) -> None:
        """Empty, full and fractional masks are refused, and scans as masks."""
        write(source.fixed_mask, volume_bytes(mask))
        row = take(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert row.reasons[0].startswith(f"data: fixed mask: {reason}")

    def test_mask_of_another_grid(self, stage: MemoryStage, source: SourceCase) -> None:
        """Masks swapped between the scans are refused."""
        swapped = dataclasses.replace(
            source, fixed_mask=source.moving_mask, moving_mask=source.fixed_mask
        )
        row = take(stage, swapped).row
        assert row.verdict is Verdict.REJECT
        assert row.reasons[0].startswith("data: fixed mask: a mask lies on its scan's grid")

    def test_landmarks_in_another_frame(self, stage: MemoryStage, source: SourceCase) -> None:
        """Points given in mm mostly lie outside: they are refused, with how to mend them."""
        points = landmarks(0)
        points[:, :3] = FIXED_GRID.to_world(points[:, :3])
        write(source.landmarks[0], encode_landmarks(points))
        row = take(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert "landmarks lie inside their scans" in row.reasons[0]
        assert "convert them from mm to voxels" in row.reasons[0]

    @pytest.mark.parametrize("text", ["", "1,2,3\n", "1,2,3,4,5,x\n", "1,2,3,4,5,nan\n"])
    def test_landmarks_that_are_none(
        self, stage: MemoryStage, source: SourceCase, text: str
    ) -> None:
        """A list without points, of other columns or not of numbers is refused."""
        write(source.landmarks[0], text.encode())
        row = take(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert ": landmarks: " in row.reasons[0]

    def test_problem_of_the_source(self, stage: MemoryStage, source: SourceCase) -> None:
        """What the layout found missing decides before any file is opened."""
        problem = MissingFileError("a case has a scan of inspiration", got="none", where="a")
        incomplete = dataclasses.replace(source, moving=None, problems=(problem,))
        row = take(stage, incomplete).row
        assert row.reasons == ("missing_file: a case has a scan of inspiration, got none",)

    def test_unreadable_file(self, stage: MemoryStage, source: SourceCase, tmp_path: Path) -> None:
        """A file that vanished, or a folder in its place, is the case's own trouble."""
        assert source.moving is not None
        source.moving.unlink()
        assert take(stage, source).row.reasons[0].startswith("unreadable_file: ")
        source.moving.mkdir()
        assert take(stage, source).row.verdict is Verdict.REJECT

    def test_reasons_hide_paths(
        self, stage: MemoryStage, source: SourceCase, tmp_path: Path
    ) -> None:
        """What goes into the manifest names no file and no folder."""
        for path in (source.fixed, source.fixed_mask, *source.landmarks):
            assert path is not None
            before = path.read_bytes()
            path.write_bytes(b"garbage")
            row = take(stage, source).row
            assert row.verdict is Verdict.REJECT
            assert not any(str(tmp_path) in reason for reason in row.reasons)
            path.write_bytes(before)

    def test_takes_away_what_was_there(self, stage: MemoryStage, source: SourceCase) -> None:
        """A case that was sound and is now broken leaves the stage; its neighbours stay."""
        stage.write(STAGE_NAMES["fixed"].format("ab"), b"neighbour")
        known = take(stage, source).row
        write(source.moving, b"garbage")
        row = take(stage, source, known).row
        assert row.verdict is Verdict.REJECT
        assert names(stage) == {STAGE_NAMES["fixed"].format("ab")}

    def test_trouble_of_the_stage_is_not_the_cases(self, source: SourceCase) -> None:
        """A full disk stops ingest; it rejects nobody."""
        with pytest.raises(StoreUnavailableError):
            take(FaultyStage(MemoryStage(), full_on={3}), source)


class TestAgain:
    def test_same_files_are_not_brought_again(self, stage: MemoryStage, source: SourceCase) -> None:
        """The second time nothing is written and the row is the very same."""
        known = take(stage, source).row
        counting = FaultyStage(stage)
        again = take(counting, source, known)
        assert again.row is known
        assert (again.uploaded, counting.writes, counting.reads) == (0, 0, 0)

    @pytest.mark.parametrize("role", ["fixed", "moving_mask", "landmarks"])
    def test_file_that_left_the_stage_is_brought_back(
        self, stage: MemoryStage, source: SourceCase, role: str
    ) -> None:
        """What the manifest tells of and the stage lacks, or has in another size, is mended."""
        known = take(stage, source).row
        name = STAGE_NAMES[role].format("a")
        whole = stage.read(name)
        for damage in (lambda: stage.delete(name), lambda: stage.write(name, b"cut")):
            damage()
            assert take(stage, source, known).uploaded == 5
            assert stage.read(name) == whole

    def test_changed_file_is_brought(self, stage: MemoryStage, source: SourceCase) -> None:
        """One changed byte, or another group, and the case is checked anew."""
        known = take(stage, source).row
        write(source.landmarks[0], encode_landmarks(landmarks(0)[:10]))
        changed = take(stage, source, known)
        assert changed.uploaded == 5
        assert changed.row.case().fingerprint != known.case().fingerprint
        assert len(decode_landmarks(stage.read(STAGE_NAMES["landmarks"].format("a")))) == 10
        moved = take(stage, source, changed.row, group="patient 2")
        assert moved.row.group == "patient 2"

    def test_rejected_case_is_tried_again(self, stage: MemoryStage, source: SourceCase) -> None:
        """A file that was mended is taken in."""
        assert source.fixed is not None
        whole = source.fixed.read_bytes()
        write(source.fixed, b"garbage")
        known = take(stage, source).row
        assert take(stage, source, known).row.verdict is Verdict.REJECT
        write(source.fixed, whole)
        assert take(stage, source, known).row.verdict is Verdict.PASS

    def test_file_that_left_the_source_leaves_the_stage(
        self, stage: MemoryStage, source: SourceCase
    ) -> None:
        """A mask that is no longer given is not kept in silence."""
        known = take(stage, source).row
        bare = dataclasses.replace(source, fixed_mask=None, landmarks=())
        row = take(stage, bare, known).row
        assert [file.role for file in row.files] == ["fixed", "moving", "moving_mask"]
        assert names(stage) == {
            STAGE_NAMES[r].format("a") for r in ("fixed", "moving", "moving_mask")
        }

    def test_file_that_is_added_is_brought(self, stage: MemoryStage, source: SourceCase) -> None:
        """A mask made later joins its scans."""
        bare = dataclasses.replace(source, fixed_mask=None, moving_mask=None)
        known = take(stage, bare).row
        assert take(stage, source, known).uploaded == 5

    def test_offset_grid_by_less_than_a_hundredth(
        self, stage: MemoryStage, source: SourceCase
    ) -> None:
        """A mask whose header differs in the last digits is its scan's mask."""
        _, mask = scan(FIXED_GRID, 0)
        affine = np.array(AFFINE)
        affine[0, 3] += 0.05
        write(source.fixed_mask, encode_labels(mask, Grid(shape=SHAPE, affine=affine)))
        assert take(stage, source).row.verdict is Verdict.PASS
