"""Show: a figure of one case, ingested or registered, in a notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lungreg.backends import open_backend
from lungreg.backends.local.stage import LocalStage
from lungreg.config import Config, load_config
from lungreg.errors import NotFoundError, RunError
from lungreg.qc.figure import case_figure, scans_figure
from lungreg.records import CaseResult, PairResult
from lungreg.registration.images import PairImages, carry_moving, pair_images
from lungreg.registration.outputs import read_registration
from lungreg.registration.pair import Pair, read_pair
from lungreg.sources.pair_files import PairFiles, read_pair_files
from lungreg.spatial.displacement import CPU
from lungreg.spatial.geometry import Transform, affine_transform
from lungreg.stores import Backend, Stage
from lungreg.stores.manifest import ManifestRow, read_cases
from lungreg.stores.names import INPUTS_FILE, CaseNames, RunNames
from lungreg.stores.run_files import read_config
from lungreg.workflows.register_records import RegisterReport
from lungreg.workflows.registered_folder import noted_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(
    result: CaseResult | RegisterReport | ManifestRow,
    config: Config | None = None,
    *,
    backend: Backend | None = None,
) -> Figure:
    """A matplotlib figure of a case in three views, as a notebook shows it.

        lungreg.show(lungreg.register(pair, "out"))
        lungreg.show(lungreg.infer(config).results[0], config).savefig("case.png")
        lungreg.show(lungreg.ingest(config).rows[0], config)

    Of a registered case, from left to right: the fixed scan, the moving scan through the stored
    transform, and how much they differ before and after, in HU. Before is after the initial
    alignment that was chosen. Of a case that was only ingested: both scans where their headers
    place them, and how much they differ. All are in the intensity window of the run.

    Args:
        result: A row of `infer` or of `ingest`, or what `register` returns or its `result`.
        config: Names the backend that a row came from; None reads `./lungreg.yaml`. The result of
            `register` knows its folder: there, only `ingest.max_voxels` counts.
        backend: Stores to use instead of those that the config names.

    Raises:
        RunError: The case was not registered, or its run is not on the stage.
        NotFoundError: The case's files are not on the stage, or not in the folder; `ingest` rejects
            some.
        MissingFileError: A scan is not where it was when `register` read it.
    """
    if isinstance(result, ManifestRow):
        return _figure_of_scans(result.case_id, config or load_config(), backend)
    if isinstance(result, RegisterReport):
        result = result.result
    if result.output_image is None or result.output_transform is None:
        msg = "a case to show was registered"
        raise RunError(msg, got=result.status.value, mend="see its error_message")
    if isinstance(result, PairResult):
        return _figure_of_pair(result, config or Config())
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
    return _carried(pair, transform, run.preprocessing.hu_window)


def _figure_of_scans(case_id: str, config: Config, backend: Backend | None) -> Figure:
    """The figure of an ingested case."""
    backend = (backend or open_backend(config.backend)).for_run(None, "show")
    case = read_cases(backend.stage, [case_id])[0]
    pair = read_pair(backend.stage, case, max_voxels=config.ingest.max_voxels)
    as_placed = affine_transform(np.eye(4))
    return scans_figure(_carried(pair, as_placed, config.preprocessing.hu_window), case_id)


def _figure_of_pair(result: PairResult, config: Config) -> Figure:
    """The figure of a pair that `register` wrote to a folder."""
    noted = noted_files(result.folder)
    if not {"fixed", "moving"} <= noted.keys():
        msg = f"the folder of a registered pair holds its {INPUTS_FILE}"
        raise NotFoundError(msg, got="none", mend="register the pair again", where=result.folder)
    files = PairFiles(**noted)
    pair = read_pair_files(files, result.case_id, max_voxels=config.ingest.max_voxels).pair
    stored = read_registration(LocalStage(result.folder), CaseNames(""))
    images = _carried(pair, stored.transform, result.hu_window)
    return case_figure(images, replace(result, case_id=files.fixed.name))


def _carried(pair: Pair, transform: Transform, hu_window: tuple[float, float]) -> PairImages:
    carried = carry_moving(pair, transform, CPU)
    return pair_images(pair, transform, carried, hu_window=hu_window, device=CPU)
