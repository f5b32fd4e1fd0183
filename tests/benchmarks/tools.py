"""One registration by one tool, in a process of its own: `python tools.py TOOL PAIR OUT`.

Every tool starts from the same files and ends with OUT/field.nii.gz, the total displacement of the
fixed scan in ITK's world, and OUT/seconds.json. The settings are each tool's own defaults.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk


def convexadam(pair: Path, out: Path, **settings: Any) -> float:
    """ConvexAdam on MIND; it takes both scans on one grid."""
    import torch
    from convexAdam.convex_adam_MIND import convex_adam_pt

    fixed, moving = _read(pair)
    laid_over = sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, -1000.0)
    started = time.perf_counter()
    voxels = convex_adam_pt(
        img_fixed=fixed, img_moving=laid_over, device=torch.device("cpu"), **settings
    )
    seconds = time.perf_counter() - started
    mm = np.asarray(voxels)[..., ::-1] * np.array(fixed.GetSpacing())
    _write(mm @ np.array(fixed.GetDirection()).reshape(3, 3).T, fixed, out)
    return seconds


def convexadam_fine(pair: Path, out: Path) -> float:
    """With the grid and reach that its authors used for lungs."""
    return convexadam(pair, out, grid_sp=4, disp_hw=6)


def elastix(pair: Path, out: Path) -> float:
    """Affine, then B-splines, mutual information."""
    import itk

    fixed, moving = (itk.imread(str(pair / f"{r}.nii.gz"), itk.F) for r in ("fixed", "moving"))
    parameters = itk.ParameterObject.New()
    for stage in ("affine", "bspline"):
        parameters.AddParameterMap(parameters.GetDefaultParameterMap(stage))
    started = time.perf_counter()
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, log_to_console=False
    )
    seconds = time.perf_counter() - started
    os.chdir(out)  # transformix leaves a file where it runs
    field = itk.transformix_deformation_field(moving, found)
    _write(itk.array_from_image(field), _read(pair)[0], out)
    return seconds


def ants(pair: Path, out: Path) -> float:
    """SyN."""
    import ants as antspy

    fixed, moving = (antspy.image_read(str(pair / f"{r}.nii.gz")) for r in ("fixed", "moving"))
    started = time.perf_counter()
    found = antspy.registration(fixed, moving, "SyN")["fwdtransforms"]
    seconds = time.perf_counter() - started
    warp, affine = sorted(found, key=lambda name: name.endswith(".mat"))
    field = sitk.Cast(sitk.ReadImage(warp), sitk.sitkVectorFloat64)
    linear = sitk.AffineTransform(sitk.ReadTransform(affine))
    whole = sitk.CompositeTransform([linear, sitk.DisplacementFieldTransform(field)])
    image = _read(pair)[0]
    total = sitk.TransformToDisplacementField(
        whole,
        sitk.sitkVectorFloat64,
        image.GetSize(),
        image.GetOrigin(),
        image.GetSpacing(),
        image.GetDirection(),
    )
    _write(sitk.GetArrayFromImage(total), image, out)
    return seconds


def greedy(pair: Path, out: Path) -> float:
    """Affine from the images' centres, then its diffeomorphism; local correlation 9 voxels wide."""
    from picsl_greedy import Greedy3D

    images = f"-i {pair / 'fixed.nii.gz'} {pair / 'moving.nii.gz'} -m NCC 4x4x4 -n 100x50x10"
    tool, log = Greedy3D(), io.StringIO()
    started = time.perf_counter()
    tool.execute(f"{images} -a -ia-image-centers -o {out / 'affine.mat'}", out=log)
    tool.execute(f"{images} -it {out / 'affine.mat'} -o {out / 'warp.nii.gz'}", out=log)
    seconds = time.perf_counter() - started
    files = f"{out / 'warp.nii.gz'} {out / 'affine.mat'} -rc {out / 'field.nii.gz'}"
    tool.execute(f"-rf {pair / 'fixed.nii.gz'} -r {files}", out=log)
    return seconds


def lungreg(pair: Path, out: Path, *, preset: str = "default", masks: bool = True) -> float:
    """The command itself."""
    from lungreg.cli import main

    options = ["--preset", preset, "--quiet", "--device", "cpu"]
    if masks:
        options += ["--fixed-mask", str(pair / "fixed_mask.nii.gz")]
        options += ["--moving-mask", str(pair / "moving_mask.nii.gz")]
    scans = [str(pair / "fixed.nii.gz"), str(pair / "moving.nii.gz")]
    sys.argv = ["lungreg", "register", *scans, "-o", str(out), *options]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    (out / "displacement.nii.gz").rename(out / "field.nii.gz")
    seconds: float = json.loads((out / "metrics.json").read_text())["compute_s"]
    return seconds


TOOLS: dict[str, Callable[[Path, Path], float]] = {
    "lungreg fast": lambda pair, out: lungreg(pair, out, preset="fast"),
    "lungreg": lungreg,
    "lungreg, no masks": lambda pair, out: lungreg(pair, out, masks=False),
    "lungreg best": lambda pair, out: lungreg(pair, out, preset="best"),
    "ConvexAdam": convexadam,
    "ConvexAdam 4, 6": convexadam_fine,
    "greedy": greedy,
    "elastix": elastix,
    "ANTs SyN": ants,
}


def _read(pair: Path) -> tuple[sitk.Image, sitk.Image]:
    fixed, moving = (
        sitk.ReadImage(str(pair / f"{role}.nii.gz"), sitk.sitkFloat32)
        for role in ("fixed", "moving")
    )
    return fixed, moving


def _write(total_lps: np.ndarray, like: sitk.Image, out: Path) -> None:
    """A total displacement (Z, Y, X, 3) in mm, LPS, as ITK holds it."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(total_lps, np.float32), isVector=True)
    image.CopyInformation(like)
    sitk.WriteImage(image, str(out / "field.nii.gz"))


if __name__ == "__main__":
    _name, _pair, _out = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    _out.mkdir(parents=True, exist_ok=True)
    _seconds = TOOLS[_name](_pair, _out)
    (_out / "seconds.json").write_text(json.dumps(_seconds))
