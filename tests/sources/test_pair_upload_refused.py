"""Pairs that are odd or bad: the warning or the reason in their row, and what the stage keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from lungreg.errors import DataError, MissingFileError, StoreUnavailableError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.transforms import encode_displacement
from lungreg.formats.volumes import encode_volume
from lungreg.records import Verdict
from lungreg.sources import SourceCase
from lungreg.stores.names import CASE_INPUTS
from lungreg.testing import FaultyStage, MemoryStage
from tests.small_cases import FIXED_GRID, MOVING_GRID, landmarks, scan
from tests.sources.uploads import INT16, names, upload, write

SHAPE = FIXED_GRID.shape
AFFINE = FIXED_GRID.affine
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


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


class TestWarned:
    def test_strange_intensities(self, stage: MemoryStage, source: SourceCase) -> None:
        """A scan that does not look like Hounsfield units is taken in with a warning."""
        fixed, _ = scan(FIXED_GRID, 0)
        write(source.fixed, encode_volume(fixed * 0.05 + 5000, FIXED_GRID, INT16))
        row = upload(stage, source).row
        assert row.verdict is Verdict.WARN
        assert row.reasons == (
            "implausible_hu: the fixed scan does not look like Hounsfield units",
        )
        assert row.files

    def test_landmarks_outside(self, stage: MemoryStage, source: SourceCase) -> None:
        """A few points outside their scan are a warning, in either scan."""
        points = landmarks(0)
        points[0, 0] = 19.6
        points[1, 4] = -0.6
        points[2, 2] = 17.4
        write(source.landmarks[0], encode_landmarks(points))
        row = upload(stage, source).row
        assert row.verdict is Verdict.WARN
        assert row.reasons == ("landmarks_outside: landmarks outside their scan: 2 of 20",)

    def test_what_the_source_warns_of(self, stage: MemoryStage, source: SourceCase) -> None:
        """Warnings of the layout come along, without their places."""
        warned = dataclasses.replace(source, warnings=(DataError("odd", where="/secret/file"),))
        row = upload(stage, warned).row
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
            (lambda: volume_bytes(np.zeros((6, 6, 6), RGB)), "data: values must be single numbers"),
            (lambda: volume_bytes(np.full((6, 6, 6), np.nan)), "data: every value of a scan is"),
            (lambda: volume_bytes(np.full((6, 6, 6), 7)), "data: a scan is not constant, got 7"),
            (lambda: with_spacing(0.0), "data: the voxel spacing in a header is positive"),
            (lambda: with_spacing(-2.0), "data: the voxel spacing in a header is positive"),
            (singular, "data: an affine must be invertible"),
            (lambda: volume_bytes(np.zeros((60, 60, 60))), "unsafe_input: a volume has at most"),
        ],
        ids=[
            *("empty", "garbage", "truncated", "4d", "2d", "complex", "rgb", "nan", "constant"),
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
        done = upload(stage, bare, max_voxels=100_000)
        assert done.row.verdict is Verdict.REJECT
        code, rule = reason.split(": ", 1)
        assert done.row.reasons[0].startswith(f"{code}: {role} scan: {rule}")
        assert (done.row.files, done.uploaded) == ((), 0)
        assert names(stage) == set()

    @pytest.mark.parametrize(
        ("mask", "reason"),
        [
            (np.zeros(SHAPE, np.uint8), "a lung mask is neither empty nor full, got empty"),
            (np.full(SHAPE, -1, np.int16), "labels of a mask are not negative, got -1"),
            (np.eye(20, 16)[..., None] * np.full(18, 0.4, np.float32), "a mask holds whole"),
            (scan(FIXED_GRID, 0)[0].astype(np.int16), "labels of a mask are not negative"),
        ],
    )
    def test_mask_that_is_none(
        self, stage: MemoryStage, source: SourceCase, mask: NDArray[Any], reason: str
    ) -> None:
        """Empty and fractional masks are refused, and scans given as masks."""
        write(source.fixed_mask, volume_bytes(mask))
        row = upload(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert row.reasons[0].startswith(f"data: fixed mask: {reason}")

    def test_mask_of_another_grid(self, stage: MemoryStage, source: SourceCase) -> None:
        """Masks swapped between the scans are refused."""
        swapped = dataclasses.replace(
            source, fixed_mask=source.moving_mask, moving_mask=source.fixed_mask
        )
        row = upload(stage, swapped).row
        assert row.verdict is Verdict.REJECT
        assert row.reasons[0].startswith("data: fixed mask: a mask lies on its scan's grid")

    def test_landmarks_in_another_frame(self, stage: MemoryStage, source: SourceCase) -> None:
        """Points given in mm mostly lie outside: they are refused, with how to mend them."""
        points = landmarks(0)
        points[:, :3] = FIXED_GRID.to_world(points[:, :3])
        write(source.landmarks[0], encode_landmarks(points))
        row = upload(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert "landmarks lie inside their scans" in row.reasons[0]
        assert "convert them from mm to voxels" in row.reasons[0]

    @pytest.mark.parametrize("text", ["", "1,2,3\n", "1,2,3,4,5,x\n", "1,2,3,4,5,nan\n"])
    def test_landmarks_that_are_none(
        self, stage: MemoryStage, source: SourceCase, text: str
    ) -> None:
        """A list without points, of other columns or not of numbers is refused."""
        write(source.landmarks[0], text.encode())
        row = upload(stage, source).row
        assert row.verdict is Verdict.REJECT
        assert ": landmarks: " in row.reasons[0]

    def test_problem_of_the_source(self, stage: MemoryStage, source: SourceCase) -> None:
        """What the layout found missing decides before any file is opened."""
        problem = MissingFileError("a case has a scan of inspiration", got="none", where="a")
        incomplete = dataclasses.replace(source, moving=None, problems=(problem,))
        row = upload(stage, incomplete).row
        assert row.reasons == ("missing_file: a case has a scan of inspiration, got none",)

    def test_unreadable_file(self, stage: MemoryStage, source: SourceCase, tmp_path: Path) -> None:
        """A file that vanished, or a folder in its place, is the case's own trouble."""
        assert source.moving is not None
        source.moving.unlink()
        assert upload(stage, source).row.reasons[0].startswith("unreadable_file: ")
        source.moving.mkdir()
        assert upload(stage, source).row.verdict is Verdict.REJECT

    def test_reasons_hide_paths(
        self, stage: MemoryStage, source: SourceCase, tmp_path: Path
    ) -> None:
        """What goes into the manifest names no file and no folder."""
        for path in (source.fixed, source.fixed_mask, *source.landmarks):
            assert path is not None
            before = path.read_bytes()
            path.write_bytes(b"garbage")
            row = upload(stage, source).row
            assert row.verdict is Verdict.REJECT
            assert not any(str(tmp_path) in reason for reason in row.reasons)
            path.write_bytes(before)

    def test_takes_away_what_was_there(self, stage: MemoryStage, source: SourceCase) -> None:
        """A case that was sound and is now broken leaves the stage; its neighbours stay."""
        stage.write(CASE_INPUTS["fixed"].format("ab"), b"neighbour")
        known = upload(stage, source).row
        write(source.moving, b"garbage")
        row = upload(stage, source, known).row
        assert row.verdict is Verdict.REJECT
        assert names(stage) == {CASE_INPUTS["fixed"].format("ab")}

    def test_trouble_of_the_stage_is_not_the_cases(self, source: SourceCase) -> None:
        """A full disk stops ingest; it rejects nobody."""
        with pytest.raises(StoreUnavailableError):
            upload(FaultyStage(MemoryStage(), full_on={3}), source)


class TestDisplacement:
    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"text", "displacement: the file must be NIfTI"),
            (
                encode_displacement(np.zeros((3, *MOVING_GRID.shape)), MOVING_GRID),
                "displacement: a displacement lies on the fixed scan's grid",
            ),
            (
                encode_displacement(np.full((3, *SHAPE), np.nan), FIXED_GRID),
                "displacement: a displacement is finite",
            ),
            (
                encode_nifti(np.zeros((*SHAPE, 1, 3), dtype=np.float32), AFFINE),
                "has the intent 1007",
            ),
            (volume_bytes(np.zeros(SHAPE, dtype=np.int16)), "displacement: a vector field has"),
        ],
        ids=["text", "other grid", "not finite", "no vectors", "a scan"],
    )
    def test_that_cannot_be_of_the_pair(
        self, stage: MemoryStage, source: SourceCase, tmp_path: Path, data: bytes, says: str
    ) -> None:
        """The row says what is wrong, and nothing of the pair is on the stage."""
        path = tmp_path / "displacement.nii.gz"
        path.write_bytes(data)
        done = upload(stage, dataclasses.replace(source, displacement=path))
        assert done.row.verdict is Verdict.REJECT
        assert says in done.row.reasons[0]
        assert names(stage) == set()

    def test_of_too_many_voxels(
        self, stage: MemoryStage, source: SourceCase, tmp_path: Path
    ) -> None:
        """It is refused by its header, unread."""
        path = tmp_path / "displacement.nii.gz"
        large = np.zeros((120, 120, 120, 1, 3), dtype=np.float32)
        path.write_bytes(encode_nifti(large, AFFINE, intent=1007))
        row = upload(stage, dataclasses.replace(source, displacement=path)).row
        assert "at most 1000000 voxels" in row.reasons[0]
