"""Fields of other tools, each as its own tool reads it; what none can tell is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import DataError, UnreadableFileError, UnsafeInputError
from lungreg.formats.transforms.field_files import read_field_image
from lungreg.formats.transforms.fields import parse_meaning
from lungreg.formats.transforms.reading import read_transform
from lungreg.spatial.displacement import transform_points
from lungreg.spatial.geometry import flip_lps
from tests.formats.transforms.breathing import FIELD
from tests.formats.transforms.foreign_fields import (
    displacement,
    lps,
    points,
    positions,
    write_image,
    write_nifti,
)

pytestmark = pytest.mark.usefixtures("one_thread")

NIFTYREG = "NREG_TRANS"


def require_breath(path: Path, kind: str | None = None, frame: str | None = None) -> None:
    """The field carries points as the breath that it was made of."""
    known = read_transform(path, parse_meaning(kind, frame))
    inside, moved = points()
    np.testing.assert_allclose(transform_points(known.transform, inside), moved, atol=2e-3)
    assert known.start is not None
    assert known.start.same_as(FIELD)


class TestRecognised:
    def test_displacements_by_intent_are_in_ras_as_itk_reads_them(self, tmp_path: Path) -> None:
        """Intent 1006: SimpleITK turns it to LPS."""
        path = write_nifti(tmp_path / "u.nii.gz", displacement(), code=1006)
        require_breath(path)
        image = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
        inside, moved = points()
        itk = sitk.DisplacementFieldTransform(image)
        found = [itk.TransformPoint(x) for x in flip_lps(inside).tolist()]
        np.testing.assert_allclose(flip_lps(np.array(found)), moved, atol=2e-3)

    def test_vectors_without_a_name_are_itk_s(self, tmp_path: Path) -> None:
        """Intent 1007: displacements in LPS, of ANTs too."""
        require_breath(write_nifti(tmp_path / "1Warp.nii.gz", lps(displacement())))

    def test_niftyreg_names_positions_and_displacements(self, tmp_path: Path) -> None:
        """In RAS, told apart by a parameter."""
        for kind, vectors in ((0, positions()), (1, displacement())):
            path = tmp_path / f"{kind}.nii.gz"
            require_breath(write_nifti(path, vectors, name=NIFTYREG, parameters=(kind,)))

    def test_niftyreg_velocities_are_integrated(self, tmp_path: Path) -> None:
        """As displacements or as positions: both are the same flow."""
        velocity = 0.2 * displacement()
        stored = {4: velocity, 3: velocity + positions() - displacement()}
        found = [
            read_transform(
                write_nifti(tmp_path / f"{k}.nii", v, name=NIFTYREG, parameters=(k, 6))
            ).transform
            for k, v in stored.items()
        ]
        said = write_nifti(tmp_path / "v.nii", lps(velocity), code=0)
        meaning = parse_meaning("velocity", "lps")
        found.append(read_transform(said, meaning).transform)
        moved = [transform_points(one, points()[0]) for one in found]
        np.testing.assert_allclose(moved[0], moved[1], atol=1e-2)
        np.testing.assert_allclose(moved[0], moved[2], atol=1e-3)
        assert np.abs(moved[0] - points()[0]).max() > 1

    def test_a_mapping_of_spm_holds_positions(self, tmp_path: Path) -> None:
        """In RAS."""
        require_breath(write_nifti(tmp_path / "y_x.nii", positions(), name="Mapping"))

    @pytest.mark.parametrize("name", ["deformationField.mha", "f.mhd", "f.nrrd", "f.nhdr"])
    def test_images_of_vectors_are_itk_s(self, tmp_path: Path, name: str) -> None:
        """Of transformix and 3D Slicer: displacements in LPS."""
        require_breath(write_image(tmp_path / name, displacement()))


class TestSaid:
    @pytest.mark.parametrize("frame", ["ras", "lps"])
    @pytest.mark.parametrize("kind", ["displacement", "position"])
    @pytest.mark.parametrize("time_axis", [True, False])
    def test_what_the_user_says_counts(
        self, tmp_path: Path, kind: str, frame: str, time_axis: bool
    ) -> None:
        """Of a file that says nothing, of four dimensions or five; without it, it is refused."""
        vectors = displacement() if kind == "displacement" else positions()
        vectors = vectors if frame == "ras" else lps(vectors)
        path = write_nifti(tmp_path / "f.nii.gz", vectors, code=0, time_axis=time_axis)
        require_breath(path, kind, frame)
        for less in ((None, None), (kind, None), (None, frame)):
            with pytest.raises(DataError, match="--field-kind displacement"):
                read_transform(path, parse_meaning(*less))

    def test_it_counts_more_than_the_file(self, tmp_path: Path) -> None:
        """Some tools write an intent that is not theirs."""
        require_breath(write_nifti(tmp_path / "f.nii", positions(), code=1006), "position")
        require_breath(write_image(tmp_path / "f.mha", lps(displacement())), frame="ras")
        require_breath(write_image(tmp_path / "p.nrrd", positions()), "position")

    def test_another_space_of_an_nrrd_leaves_the_frame_open(self, tmp_path: Path) -> None:
        """ITK turns the grid and not the vectors."""
        path = write_image(tmp_path / "f.nrrd", lps(displacement()))
        data = path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior")
        turned = [f"({a},{b},{c})" for a, b, c in (FIELD.affine[:3, :3].T).tolist()]
        head, values = data.split(b"\n\n", 1)
        lines = [
            b"space directions: none " + " ".join(turned).encode()
            if line.startswith(b"space directions")
            else f"space origin: ({','.join(map(str, FIELD.affine[:3, 3]))})".encode()
            if line.startswith(b"space origin")
            else line
            for line in head.split(b"\n")
        ]
        path.write_bytes(b"\n".join(lines) + b"\n\n" + values)
        with pytest.raises(DataError, match="space is right-anterior-superior"):
            read_transform(path)
        require_breath(path, frame="ras")

    @pytest.mark.parametrize(
        ("old", "new", "match"),
        [
            (b"", b"\nmeasurement frame: (-1,0,0) (0,-1,0) (0,0,1)", "frame of their own"),
            (b"\nspace: left-posterior-superior", b"\nspace dimension: 3", "names no space"),
        ],
    )
    def test_an_nrrd_may_leave_its_frame_open(
        self, tmp_path: Path, old: bytes, new: bytes, match: str
    ) -> None:
        """ITK heeds no measurement frame, and takes a world without a name as LPS."""
        path = write_image(tmp_path / "f.nrrd", displacement())
        old = old or b"\nspace origin"
        after = old if b"frame" in new else b""
        path.write_bytes(path.read_bytes().replace(old, new + after))
        with pytest.raises(DataError, match=match):
            read_transform(path)
        require_breath(path, frame="lps")


class TestRefused:
    @pytest.mark.parametrize("vectors", [positions(), lps(positions())])
    @pytest.mark.parametrize("code", [1006, 1007])
    def test_values_that_look_like_positions(
        self, tmp_path: Path, vectors: np.ndarray, code: int
    ) -> None:
        """Taken as displacements they would be centimetres off."""
        path = write_nifti(tmp_path / "f.nii.gz", vectors, code=code)
        with pytest.raises(DataError, match=r"look like positions; say what it is"):
            read_transform(path)

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
    @pytest.mark.parametrize("in_voxels", [False, True])
    def test_positions_in_voxels_or_of_other_axes(
        self, tmp_path: Path, order: tuple[int, int, int], in_voxels: bool
    ) -> None:
        """Such as of tools that count in arrays, whose axes run from z to x."""
        vectors = positions()
        if in_voxels:
            back = np.linalg.inv(FIELD.affine)
            vectors = np.einsum("kl,lxyz->kxyz", back[:3, :3], vectors)
            vectors += back[:3, 3, None, None, None]
        path = write_nifti(tmp_path / "f.nii.gz", np.float32(vectors[list(order)]))
        with pytest.raises(DataError, match="look like positions"):
            read_transform(path)

    def test_a_stretch_of_one_part_in_the_spacing_is_a_displacement(self, tmp_path: Path) -> None:
        """It grows by one from voxel to voxel, as indices do: 13 % on a grid of 7.5 mm."""
        index = np.indices(FIELD.shape, dtype=np.float32)
        stretch = index - index.mean(axis=(1, 2, 3), keepdims=True)
        read_transform(write_nifti(tmp_path / "f.nii.gz", stretch))

    def test_positions_of_the_other_frame(self, tmp_path: Path) -> None:
        """They run against the world that they are said to be in."""
        path = write_nifti(tmp_path / "f.nii", lps(positions()), name=NIFTYREG)
        with pytest.raises(DataError, match="run the other way"):
            read_transform(path)

    @pytest.mark.parametrize(
        ("code", "name", "parameters", "match"),
        [
            (1007, NIFTYREG, (2,), "control points of a spline"),
            (1007, NIFTYREG, (5,), "control points of a spline"),
            (1007, NIFTYREG, (4, -6), "leads back"),
            (2006, "", (), "warp of FSL"),
            (0, "", (), "intent 0, which does not say it"),
            (1007, "MUELLER", (), "a name of its own, which does not say it"),
        ],
    )
    def test_what_cannot_be_known(
        self, tmp_path: Path, code: int, name: str, parameters: tuple[float, ...], match: str
    ) -> None:
        """By name, with what to do, and without the file's free text."""
        path = write_nifti(
            tmp_path / "f.nii.gz", displacement(), code=code, name=name, parameters=parameters
        )
        with pytest.raises(DataError, match=match) as caught:
            read_transform(path)
        assert caught.value.mend
        assert "MUELLER" not in str(caught.value)

    def test_another_unit_than_mm(self, tmp_path: Path) -> None:
        """Whether the vectors are in it too is not known."""
        path = write_nifti(tmp_path / "f.nii", displacement(), code=1006)
        data = bytearray(path.read_bytes())
        data[123] = 3
        path.write_bytes(data)
        with pytest.raises(DataError, match="in mm, grid and vectors"):
            read_transform(path)

    def test_images_that_are_no_field(self, tmp_path: Path) -> None:
        """Scans, damaged and oversized files."""
        sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkFloat32), str(tmp_path / "scan.mha"))
        with pytest.raises(DataError, match="three components"):
            read_transform(tmp_path / "scan.mha")
        (tmp_path / "text.nrrd").write_text("text")
        with pytest.raises(UnreadableFileError):
            read_transform(tmp_path / "text.nrrd")
        path = write_image(tmp_path / "f.mha", displacement())
        with pytest.raises(UnsafeInputError, match="at most 10 voxels"):
            read_field_image(path, max_voxels=10)
        path.write_bytes(path.read_bytes().replace(b"ElementSpacing", b"ElementSpacings"))
        with pytest.raises(DataError, match="far apart"):
            read_transform(path)
