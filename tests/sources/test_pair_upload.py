"""Pairs that are sound: what their upload leaves on the stage, and what a second one does."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lungreg.formats.points.landmarks import decode_landmarks, encode_landmarks
from lungreg.formats.transforms import decode_true_displacement, encode_displacement
from lungreg.formats.transforms.rounding import rounded
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.records import Verdict
from lungreg.registration.pair import read_pair
from lungreg.sources import SourceCase
from lungreg.stores.names import CASE_INPUTS
from lungreg.testing import FaultyStage, MemoryStage
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, landmarks, scan, true_displacement
from tests.sources.uploads import INT16, names, upload, write


class TestAccepted:
    def test_sound_pair(self, stage: MemoryStage, source: SourceCase) -> None:
        """All files are uploaded, listed with size and digest; the case can be read."""
        done = upload(stage, source, group="patient 1")
        row = done.row
        assert (row.verdict, row.reasons, row.group) == (Verdict.PASS, (), "patient 1")
        assert done.uploaded == 5
        given = {name.format("a") for role, name in CASE_INPUTS.items() if role != "displacement"}
        assert names(stage) == given
        for file in row.files:
            data = stage.read(file.name)
            assert file.size == len(data)
            assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert row.fixed is not None
        assert row.fixed.shape == FIXED_GRID.shape
        assert row.fixed.spacing_mm == pytest.approx((14.0, 15.0, 13.0), abs=1e-4)
        assert row.fixed.orientation == "LAS"
        assert row.fixed.hu_offset == 0.0
        pair = read_pair(stage, row.case())
        assert pair.case.group == "patient 1"
        np.testing.assert_allclose(pair.landmarks_vox, landmarks(0), atol=1e-5)

    def test_a_header_that_is_put_right_is_so_on_the_stage(
        self, stage: MemoryStage, source: SourceCase
    ) -> None:
        """A scan in microns is told by name, and every tool reads the stage's in mm."""
        assert source.fixed is not None
        image = nib.Nifti1Image.from_bytes(gzip.decompress(source.fixed.read_bytes()))
        moved = np.diag([1e3, 1e3, 1e3, 1]) @ image.affine
        image.set_sform(moved, code=1)
        image.set_qform(moved, code=1)
        image.header.set_xyzt_units("micron")
        write(source.fixed, gzip.compress(image.to_bytes()))
        row = upload(stage, source).row
        assert row.verdict is Verdict.WARN
        (reason,) = row.reasons
        assert reason.startswith("units: fixed scan: the header gives lengths in microns")
        stored = gzip.decompress(stage.read(row.case().fixed))
        np.testing.assert_allclose(
            nib.Nifti1Image.from_bytes(stored).affine, FIXED_GRID.affine, atol=1e-3
        )

    def test_gzipped_nifti_is_kept_to_the_bit(self, stage: MemoryStage, source: SourceCase) -> None:
        """Files that are as the stage wants them are not written anew."""
        upload(stage, source)
        assert source.fixed is not None
        assert stage.read(CASE_INPUTS["fixed"].format("a")) == source.fixed.read_bytes()

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
        row = upload(stage, plain).row
        assert row.verdict is Verdict.PASS
        pair = read_pair(stage, row.case())
        np.testing.assert_array_equal(pair.fixed.data, np.rint(fixed))
        assert pair.fixed.stored == stored
        assert set(np.unique(pair.fixed_mask)) == {0, 300, 600}

    @pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
    def test_free_text_is_left_behind(
        self, stage: MemoryStage, tmp_path: Path, suffix: str
    ) -> None:
        """Names in headers, extensions and gzip do not reach the stage, of scans and of masks."""
        secret = "MUSTERMANN"
        values, mask = scan(FIXED_GRID, 0)
        files = {}
        for role, data in (("fixed", values), ("moving", values), ("fixed_mask", mask)):
            image = nib.Nifti1Image(data.astype(np.int16), FIXED_GRID.affine)
            image.header["descrip"] = secret
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", secret.encode()))
            files[role] = tmp_path / f"{secret}_{role}{suffix}"
            nib.save(image, files[role])
        upload(stage, SourceCase(case_id="a", **files))
        for role in files:
            data = stage.read(CASE_INPUTS[role].format("a"))
            assert secret.encode() not in data
            assert secret.encode() not in gzip.decompress(data)

    def test_two_scans_are_enough(self, stage: MemoryStage, source: SourceCase) -> None:
        """Masks and landmarks are optional."""
        bare = dataclasses.replace(source, fixed_mask=None, moving_mask=None, landmarks=())
        done = upload(stage, bare)
        assert (done.row.verdict, done.uploaded) == (Verdict.PASS, 2)

    def test_offset_is_found_and_kept(self, stage: MemoryStage, source: SourceCase) -> None:
        """A scan stored as HU + 1000 keeps its values; its offset goes into the manifest."""
        moving, _ = scan(MOVING_GRID, 0, breath(0))
        moving += np.random.default_rng(0).normal(0, 10, moving.shape).astype(np.float32)
        data = encode_volume(moving + 1000, MOVING_GRID, INT16)
        write(source.moving, data)
        row = upload(stage, source).row
        assert row.verdict is Verdict.PASS
        assert row.moving is not None
        assert row.moving.hu_offset == 1000.0
        assert row.case().moving_hu_offset == 1000.0
        assert row.case().fixed_hu_offset == 0.0
        assert stage.read(CASE_INPUTS["moving"].format("a")) == data
        pair = read_pair(stage, row.case())
        np.testing.assert_array_equal(pair.moving_hu, np.rint(moving + 1000) - 1000)


class TestDisplacement:
    """The true displacement of a simulated pair goes along."""

    @pytest.fixture
    def known(self, source: SourceCase, tmp_path: Path) -> SourceCase:
        """The pair with the file that simulation writes."""
        path = tmp_path / "displacement.nii.gz"
        path.write_bytes(encode_displacement(true_displacement(0), FIXED_GRID))
        return dataclasses.replace(source, displacement=path)

    def test_is_kept_to_the_bit_and_listed_last(
        self, stage: MemoryStage, known: SourceCase
    ) -> None:
        """One file more; everything else of the row is as without it."""
        assert known.displacement is not None
        bare = upload(MemoryStage(), dataclasses.replace(known, displacement=None)).row
        done = upload(stage, known)
        assert (done.row.verdict, done.uploaded) == (Verdict.PASS, 6)
        assert done.row.files[:-1] == bare.files
        name = done.row.case().displacement
        assert name == done.row.files[-1].name == "displacements/a.nii.gz"
        assert stage.read(name) == known.displacement.read_bytes()
        assert upload(stage, known, done.row).uploaded == 0

    def test_unpacked_file_is_converted_without_its_free_text(
        self, stage: MemoryStage, known: SourceCase, tmp_path: Path
    ) -> None:
        """Plain NIfTI becomes gzipped; a name in a header does not reach the stage."""
        assert known.displacement is not None
        image = nib.Nifti1Image.from_bytes(gzip.decompress(known.displacement.read_bytes()))
        image.header["descrip"] = "MUSTERMANN"
        for name in ("field.nii", "field.nii.gz"):
            nib.save(image, tmp_path / name)
            row = upload(stage, dataclasses.replace(known, displacement=tmp_path / name)).row
            data = stage.read(row.case().displacement or "")
            assert b"MUSTERMANN" not in gzip.decompress(data)
            found = decode_true_displacement(data, FIXED_GRID)
            np.testing.assert_array_equal(found, rounded(true_displacement(0)))

    def test_changes_are_noticed(self, stage: MemoryStage, known: SourceCase) -> None:
        """Added, changed and taken away, the case is brought again, and the stage follows."""
        bare = dataclasses.replace(known, displacement=None)
        first = upload(stage, bare).row
        assert first.source_sha256 == upload(MemoryStage(), bare).row.source_sha256
        second = upload(stage, known, first)
        assert (second.uploaded, second.row.case().fingerprint == first.case().fingerprint) == (
            6,
            False,
        )
        write(known.displacement, encode_displacement(2 * true_displacement(0), FIXED_GRID))
        third = upload(stage, known, second.row)
        assert third.uploaded == 6
        last = upload(stage, bare, third.row)
        assert last.row.case().fingerprint == first.case().fingerprint
        assert CASE_INPUTS["displacement"].format("a") not in names(stage)


class TestAgain:
    def test_same_files_are_not_brought_again(self, stage: MemoryStage, source: SourceCase) -> None:
        """The second time nothing is written and the row is the very same."""
        known = upload(stage, source).row
        counting = FaultyStage(stage)
        again = upload(counting, source, known)
        assert again.row is known
        assert (again.uploaded, counting.writes, counting.reads) == (0, 0, 0)

    @pytest.mark.parametrize("role", ["fixed", "moving_mask", "landmarks"])
    def test_file_that_left_the_stage_is_brought_back(
        self, stage: MemoryStage, source: SourceCase, role: str
    ) -> None:
        """Files that the manifest lists and the stage lacks, or has cut off, are uploaded."""
        known = upload(stage, source).row
        name = CASE_INPUTS[role].format("a")
        whole = stage.read(name)
        for damage in (lambda: stage.delete(name), lambda: stage.write(name, b"cut")):
            damage()
            assert upload(stage, source, known).uploaded == 5
            assert stage.read(name) == whole

    def test_changed_file_is_brought(self, stage: MemoryStage, source: SourceCase) -> None:
        """One changed byte, or another group, and the case is checked anew."""
        known = upload(stage, source).row
        write(source.landmarks[0], encode_landmarks(landmarks(0)[:10]))
        changed = upload(stage, source, known)
        assert changed.uploaded == 5
        assert changed.row.case().fingerprint != known.case().fingerprint
        assert len(decode_landmarks(stage.read(CASE_INPUTS["landmarks"].format("a")))) == 10
        moved = upload(stage, source, changed.row, group="patient 2")
        assert moved.row.group == "patient 2"

    def test_rejected_case_is_tried_again(self, stage: MemoryStage, source: SourceCase) -> None:
        """A file that was mended is taken in."""
        assert source.fixed is not None
        whole = source.fixed.read_bytes()
        write(source.fixed, b"garbage")
        known = upload(stage, source).row
        assert upload(stage, source, known).row.verdict is Verdict.REJECT
        write(source.fixed, whole)
        assert upload(stage, source, known).row.verdict is Verdict.PASS

    def test_file_that_left_the_source_leaves_the_stage(
        self, stage: MemoryStage, source: SourceCase
    ) -> None:
        """A mask that is no longer given is not kept in silence."""
        known = upload(stage, source).row
        bare = dataclasses.replace(source, fixed_mask=None, landmarks=())
        row = upload(stage, bare, known).row
        assert [file.role for file in row.files] == ["fixed", "moving", "moving_mask"]
        assert names(stage) == {
            CASE_INPUTS[r].format("a") for r in ("fixed", "moving", "moving_mask")
        }

    def test_file_that_is_added_is_brought(self, stage: MemoryStage, source: SourceCase) -> None:
        """A mask made later joins its scans."""
        bare = dataclasses.replace(source, fixed_mask=None, moving_mask=None)
        known = upload(stage, bare).row
        assert upload(stage, source, known).uploaded == 5
