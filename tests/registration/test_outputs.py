"""The files of a registered case: grids, scales, labels, and a field that other tools can use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.formats.nifti import decode_nifti
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import Stored, decode_mask, decode_scan, encode_volume
from lungreg.registration.pair import read_pair
from lungreg.spatial.displacement import resample
from lungreg.spatial.geometry import apply_affine
from lungreg.testing import MemoryStage
from tests.grids import from_sitk, voxels
from tests.registration.registering import (
    NETWORK_GRID,
    SEED,
    output,
    register,
    register_pair,
    true_network,
    waving_network,
)
from tests.small_cases import FIXED_GRID, MOVING_GRID, breath, put_case, scan, small_config

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def stage() -> MemoryStage:
    """An empty stage."""
    return MemoryStage()


class TestImages:
    @pytest.mark.parametrize("full", [False, True])
    def test_lie_on_the_fixed_scans_own_grid(self, stage: MemoryStage, full: bool) -> None:
        """Shape and affine of image and label are the fixed file's, to the bit."""
        case = put_case(stage, "a", seed=SEED)
        register(
            stage,
            case,
            waving_network(),
            config=small_config(infer={"full_resolution_field": full}),
        )
        fixed = decode_nifti(stage.read(case.fixed))
        for name in ("registered_img.nii.gz", "registered_label.nii.gz"):
            found = decode_nifti(output(stage, name))
            np.testing.assert_array_equal(found.affine, fixed.affine)
            assert found.raw.shape == fixed.raw.shape
        _, grid = decode_displacement(output(stage, "displacement.nii.gz"))
        assert grid.same_as(FIXED_GRID if full else NETWORK_GRID)

    def test_offset_scan_keeps_its_scale(self, stage: MemoryStage) -> None:
        """HU + 1000 in, HU + 1000 out: type and values as stored, air outside the scan is 0."""
        plain = put_case(stage, "a", seed=SEED)
        shifted = put_case(stage, "b", seed=SEED, offset=1000.0)
        results = [register(stage, case, waving_network()) for case in (plain, shifted)]
        assert results[0].ncc is not None
        for name in ("ncc", "ssim_score", "dice_score", "outside_fov_pct"):
            assert getattr(results[1], name) == pytest.approx(getattr(results[0], name), abs=1e-3)
        images = [decode_nifti(output(stage, "registered_img.nii.gz", name)) for name in "ab"]
        assert images[1].raw.dtype == np.int16
        assert (images[1].slope, images[1].intercept) == (1.0, 0.0)
        gap = images[1].raw.astype(int) - images[0].raw.astype(int)
        assert np.abs(gap - 1000).max() <= 1
        pair = read_pair(stage, shifted)
        found = register_pair(pair, waving_network(), alignment="world")
        outside = resample(
            pair.moving.data, MOVING_GRID, FIXED_GRID, np.eye(4), found.dense_mm
        ).outside
        assert outside.any()
        assert (images[1].raw[outside] == 0).all()
        assert (images[0].raw[outside] == -1000).all()

    def test_slope_and_intercept_are_kept(self, stage: MemoryStage) -> None:
        """A file with a scale of its own gives one with the same scale."""
        case = put_case(stage, "a", seed=SEED)
        stored = Stored(dtype="uint16", slope=0.5, intercept=-1024.0)
        moving, _ = scan(MOVING_GRID, SEED, breath(SEED))
        stage.write(case.moving, encode_volume(moving, MOVING_GRID, stored))
        register(stage, case, waving_network())
        found = decode_nifti(output(stage, "registered_img.nii.gz"))
        assert found.raw.dtype == np.uint16
        assert (found.slope, found.intercept) == (0.5, -1024.0)
        values = decode_scan(output(stage, "registered_img.nii.gz")).data
        assert values.min() == -1000.0
        assert -1000 < np.median(values) < 100

    def test_labels_stay_whole(self, stage: MemoryStage) -> None:
        """Left and right lung are still left and right, and nothing between."""
        case = put_case(stage, "a", seed=SEED)
        register(stage, case, true_network())
        found = decode_mask(output(stage, "registered_label.nii.gz")).data
        _, truth = scan(FIXED_GRID, SEED)
        assert set(np.unique(found)) == {0, 1, 2}
        for label in (1, 2):
            both = 2 * ((found == label) & (truth == label)).sum()
            assert both / ((found == label).sum() + (truth == label).sum()) > 0.85


class TestField:
    @pytest.mark.parametrize("full", [False, True])
    def test_simpleitk_reproduces_the_image(
        self, stage: MemoryStage, tmp_path: Path, full: bool
    ) -> None:
        """ITK, with nothing but our files, gives our image to 1 HU inside the lungs."""
        case = put_case(stage, "a", seed=SEED)
        config = small_config(infer={"full_resolution_field": full})
        register(stage, case, waving_network(), config=config, alignment="masks")
        for name in (case.fixed, case.moving):
            stage.download(name, tmp_path / f"{name.replace('/', '_')}.nii.gz")
        (tmp_path / "field.nii.gz").write_bytes(output(stage, "displacement.nii.gz"))
        fixed, moving = (
            sitk.ReadImage(str(tmp_path / f"{role}_a.nii.gz"), sitk.sitkFloat32)
            for role in ("fixed", "moving")
        )
        field = sitk.ReadImage(str(tmp_path / "field.nii.gz"), sitk.sitkVectorFloat64)
        transform = sitk.DisplacementFieldTransform(field)
        theirs = from_sitk(sitk.Resample(moving, fixed, transform, sitk.sitkLinear, -1000.0))
        ours = decode_scan(output(stage, "registered_img.nii.gz")).data
        _, lungs = scan(FIXED_GRID, SEED)
        assert np.abs(ours - theirs)[lungs > 0].max() <= 1.0
        unmoved = from_sitk(
            sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, -1000.0)
        )
        assert np.abs(unmoved - theirs)[lungs > 0].max() > 50.0

    def test_json_beside_it_gives_the_composite(self, stage: MemoryStage) -> None:
        """Direction, frame and grids are in it; no case id and no path is."""
        case = put_case(stage, "secret_17", seed=SEED)
        register(stage, case, waving_network())
        text = output(stage, "displacement.json", "secret_17").decode()
        facts = json.loads(text)
        assert facts["direction"] == "fixed to moving"
        assert facts["made"]["model"] == "lungs"
        assert facts["made"]["resolution"] == "as computed"
        assert "secret_17" not in text

    def test_dense_field_is_the_networks(self, stage: MemoryStage) -> None:
        """What the network says of its voxels is, in mm, the transform of the pair."""
        pair = read_pair(stage, put_case(stage, "a", seed=SEED))
        found = register_pair(pair, true_network(), alignment="world")
        nodes = NETWORK_GRID.to_world(voxels(NETWORK_GRID))
        expected = apply_affine(breath(SEED), nodes) - nodes
        mm = found.transform.displacement_mm.reshape(3, -1).T
        np.testing.assert_allclose(mm, expected, atol=1e-3)
        assert found.transform.grid.same_as(NETWORK_GRID)
        assert found.dense_mm.shape == (3, *FIXED_GRID.shape)
