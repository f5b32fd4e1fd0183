"""What cannot be applied is refused; images and points are in test_apply_images and _points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from lungreg.errors import ConfigError, DataError, LungregError, MissingFileError, RunError
from lungreg.formats.volumes import Stored, decode_scan, encode_volume
from lungreg.spatial.geometry import Frame
from lungreg.workflows.apply import apply_to_image
from lungreg.workflows.apply_points import apply_to_points
from tests.formats.transforms.breathing import FIELD, FIXED, MOVING, affine, scan
from tests.grids import affine_to_sitk
from tests.workflows.applied_files import (
    POINTS,
    points_file,
    write_files,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a pair in a folder."""
    return write_files(tmp_path)


def on_image(
    *names: str, image: str = "moving.nii.gz", out: str = "o.nii.gz", **options: object
) -> Callable[[Path], object]:
    """An application of transforms to an image of a folder."""
    return lambda at: apply_to_image([at / n for n in names], at / image, at / out, **options)  # type: ignore[arg-type]


def on_points(
    *names: str, points: str = "in.csv", out: str = "o.csv", **options: object
) -> Callable[[Path], object]:
    """An application of transforms to points of a folder."""
    return lambda at: apply_to_points([at / n for n in names], at / points, at / out, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (on_image(), ConfigError, "at least one transform"),
        (on_image("transform.h5", out="o.png"), ConfigError, "written as .nii.gz"),
        (on_image("transform.h5", order=5), DataError, "0 to 3"),
        (on_image("none.h5"), MissingFileError, "must be there"),
        (on_image("transform.h5", image="none.nii.gz"), MissingFileError, "must be there"),
        (on_image("transform.json"), DataError, "a transform ends in"),
        (on_image("moving.nii.gz"), DataError, "vector field"),
        (on_image("affine.tfm"), ConfigError, "grid of the output.*--reference"),
        (on_image("text.h5"), DataError, "complete ITK transform"),
        (
            on_image("transform.h5", image="fractions.nii.gz", nearest=True),
            DataError,
            "whole numbers",
        ),
        (on_image("transform.h5", out="moving.nii.gz/o.nii.gz"), RunError, "can be written"),
        (on_image("transform.h5", out="moving.nii.gz"), ConfigError, "than the inputs"),
        (on_image("displacement.nii.gz", out="displacement.nii.gz"), ConfigError, "the inputs"),
        (on_points("transform.h5", frame="ras", out="./in.csv"), ConfigError, "than the inputs"),
        (on_points(), ConfigError, "at least one transform"),
        (on_points("transform.h5"), ConfigError, "frame.*--frame voxel, ras, lps"),
        (on_points("transform.h5", frame="mm"), ConfigError, "one of voxel, ras, lps"),
        (on_points("transform.h5", points="in.fcsv", frame="ras"), ConfigError, "are in lps"),
        (on_points("transform.h5", points="in.txt", frame="ras"), MissingFileError, "be there"),
        (on_points("transform.h5", frame="ras", direction="up"), ConfigError, "a direction is"),
        (
            on_points(
                "transform.h5", "transform_inverse.h5", frame="ras", direction="moving-to-fixed"
            ),
            ConfigError,
            "all map the same way",
        ),
        (on_points("affine.tfm", frame="voxel"), ConfigError, "whose voxels.*--input-grid"),
        (on_points("alone.h5", frame="voxel"), ConfigError, "whose voxels.*--reference"),
        (on_points("transform.h5", frame="ras", out="o.txt"), DataError, "ends in .csv"),
    ],
)
def test_what_cannot_be_applied_is_refused(
    folder: Path, call: Callable[[Path], object], error: type[LungregError], match: str
) -> None:
    """With the rule and what to do; nothing is written."""
    points_file(folder, "in.csv", POINTS, Frame.RAS, FIXED)
    points_file(folder, "in.fcsv", POINTS, Frame.LPS, FIXED)
    (folder / "text.h5").write_bytes(b"text")
    fractions = encode_volume(np.abs(scan()) + 0.3, MOVING, Stored(dtype="float32"))
    (folder / "fractions.nii.gz").write_bytes(fractions)
    (folder / "alone.h5").write_bytes((folder / "transform.h5").read_bytes())
    sitk.WriteTransform(affine_to_sitk(affine()), str(folder / "affine.tfm"))
    before = sorted(folder.iterdir())
    with pytest.raises(error, match=match):
        call(folder)
    assert sorted(folder.iterdir()) == before


def test_the_json_of_another_tool_is_no_fault(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left aside with a warning, and the field's own grid is the reference."""
    (folder / "transform.json").write_text('{"Sources": []}')
    apply_to_image([folder / "transform.h5"], folder / "moving.nii.gz", folder / "out.nii.gz")
    assert decode_scan((folder / "out.nii.gz").read_bytes()).grid.same_as(FIELD)
    assert "is not read" in caplog.text
    assert "--reference names another" in caplog.text
    assert str(folder) not in caplog.text
