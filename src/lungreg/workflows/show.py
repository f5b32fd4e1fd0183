"""Show: a figure of one registered case in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungreg.backends import open_backend
from lungreg.config import Config, load_config
from lungreg.errors import RunError
from lungreg.qc.figure import case_figure
from lungreg.records import CaseResult
from lungreg.registration.images import PairImages, carry_moving, pair_images
from lungreg.registration.outputs import read_registration
from lungreg.registration.pair import read_pair
from lungreg.spatial.displacement import CPU
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import read_cases
from lungreg.stores.names import RunNames
from lungreg.stores.run_files import read_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    result: CaseResult, config: Config | None = None, *, backend: Backend | None = None
) -> Figure:
    """A matplotlib figure of a registered case: three views, before, after and difference.

    Before is the moving scan after the initial alignment that the run chose, after is the scan
    through the stored transform, both in the intensity window of the run.

    Args:
        result: A row of `infer`.
        config: Names the backend that the row came from; None reads `./lungreg.yaml`.
        backend: Stores to use instead of those that the config names.

    Raises:
        RunError: The case was not registered, or its run is not on the stage.
        NotFoundError: The case's files are not on the stage.
    """
    if result.output_image is None or result.output_transform is None:
        msg = "a case to show was registered"
        raise RunError(msg, got=result.status.value, mend="see its error_message")
    config = config or load_config()
    backend = (backend or open_backend(config.backend)).for_run(result.run_id, "show")
    return case_figure(_images(backend.stage, result, config), result)


def _images(stage: Stage, result: CaseResult, config: Config) -> PairImages:
    """The case's images, computed again from its scans and its stored transform."""
    run = read_config(stage, result.run_id, config, kind="infer")
    case = read_cases(stage, [result.case_id])[0]
    pair = read_pair(stage, case, max_voxels=config.ingest.max_voxels)
    names = RunNames(result.run_id).case(result.case_id)
    transform = read_registration(stage, names).transform
    carried = carry_moving(pair, transform, CPU)
    return pair_images(pair, transform, carried, hu_window=run.preprocessing.hu_window, device=CPU)
