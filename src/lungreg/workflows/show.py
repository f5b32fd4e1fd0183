"""Show: a figure of one registered case in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lungreg.backends import open_backend
from lungreg.config import Config, load_config
from lungreg.errors import RunError
from lungreg.formats.transforms import decode_displacement
from lungreg.formats.volumes import decode_mask, decode_scan
from lungreg.qc.figure import case_figure
from lungreg.records import CaseResult
from lungreg.registration.alignment import align
from lungreg.registration.pair import AIR_HU, Pair, read_pair, window
from lungreg.registration.register import PairImages
from lungreg.spatial.displacement import dense_displacement, jacobian_determinant, resample
from lungreg.spatial.geometry import Grid, Transform
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import read_cases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    result: CaseResult, config: Config | None = None, *, backend: Backend | None = None
) -> Figure:
    """A matplotlib figure of a registered case: three views, before, after and difference.

    Args:
        result: A row of `infer`.
        config: Names the backend that the row came from; None reads `./lungreg.yaml`.
        backend: Stores to use instead.

    Raises:
        RunError: The case was not registered.
        NotFoundError: Its files are not on the stage.
    """
    if result.output_image is None or result.output_transform is None:
        msg = "a case to show was registered"
        raise RunError(msg, got=result.status.value, mend="see its error_message")
    config = config or load_config()
    backend = (backend or open_backend(config.backend)).for_run(result.run_id, "show")
    stage = backend.stage
    pair = read_pair(stage, read_cases(stage, [result.case_id])[0])
    return case_figure(_images(stage, pair, result, config), result)


def _images(stage: Stage, pair: Pair, result: CaseResult, config: Config) -> PairImages:
    """The arrays of a case, read back from what `infer` wrote."""
    settings, fixed = config.preprocessing, pair.fixed.grid
    affine = align(pair, settings.hu_window, settings.alignment).affine
    total, grid = decode_displacement(stage.read(result.output_transform or ""))
    transform = Transform(affine=np.eye(4), displacement_mm=total, grid=grid)
    dense_mm = dense_displacement(transform, fixed)
    moving_grid = pair.moving.grid
    aligned = resample(pair.moving_hu, moving_grid, fixed, affine, outside_value=AIR_HU)
    image = decode_scan(stage.read(result.output_image or "")).data
    hu = image - np.float32(pair.case.moving_hu_offset)
    return PairImages(
        grid=fixed,
        hu_window=settings.hu_window,
        fixed=window(pair.fixed_hu, settings.hu_window),
        aligned=window(aligned.values, settings.hu_window),
        warped=window(hu, settings.hu_window),
        fixed_mask=None if pair.fixed_mask is None else np.asarray(pair.fixed_mask > 0),
        aligned_mask=_aligned_mask(pair, moving_grid, affine),
        warped_mask=_warped_mask(stage, result),
        displacement_mm=dense_mm,
        jacobian=jacobian_determinant(np.eye(4), dense_mm, fixed),
    )


def _aligned_mask(
    pair: Pair, moving_grid: Grid, affine: NDArray[np.floating]
) -> NDArray[np.bool_] | None:
    if pair.moving_mask is None:
        return None
    moved = resample(pair.moving_mask, moving_grid, pair.fixed.grid, affine, mode="nearest")
    return np.asarray(moved.values > 0)


def _warped_mask(stage: Stage, result: CaseResult) -> NDArray[np.bool_] | None:
    if result.output_label is None:
        return None
    return np.asarray(decode_mask(stage.read(result.output_label)).data > 0)
