"""Register: one pair given by its files, with no configuration and no model needed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lungreg.backends import open_backend
from lungreg.backends.local.stage import LocalStage
from lungreg.config import Alignment, Config, Quality, RefinePreset
from lungreg.devices import choose_device
from lungreg.extras import require_extras
from lungreg.formats.transforms.itk_files import (
    DESCRIPTION_FILE,
    FORWARD_FILE,
    INVERSE_FILE,
    encode_transform_files,
)
from lungreg.metrics.rule_list import describe_rules
from lungreg.qc.case_page import render_case
from lungreg.records import CaseResult, PairResult, Remarks
from lungreg.registration.model_free import alignment_alone
from lungreg.registration.outputs import remarks_of, result_files, write_outputs
from lungreg.registration.pair import Estimate, Pair
from lungreg.registration.refinement import OnStep, Step, refinement_estimate
from lungreg.registration.register import Registered, Within, register_pair
from lungreg.sources.pair_files import PairFiles, read_pair_files
from lungreg.stores.names import INPUTS_FILE, CaseNames
from lungreg.workflows.output_folder import holds_earlier_results, remove_old, require_writable
from lungreg.workflows.progress import (
    OnProgress,
    Progress,
    ignore_progress,
    one_step,
    provenance,
)
from lungreg.workflows.register_records import RegisterReport, RegisterSettings, given
from lungreg.workflows.registered_folder import note_files

_CASE = "pair"
_NAMES = CaseNames("")
_NOT_ALWAYS = frozenset({_NAMES.label, FORWARD_FILE, INVERSE_FILE, DESCRIPTION_FILE})
"""Files that some calls write and others do not: they are removed where this one does not."""


_NOT_OPTIMISED = "not optimised, since refine.enabled of the configuration is false"
_DEFAULTS = RegisterSettings()


def register(  # noqa: PLR0913  # each setting is a keyword
    files: PairFiles,
    out: str | Path,
    settings: RegisterSettings = _DEFAULTS,
    *,
    model: str | None = None,
    alignment: Alignment | None = None,
    refine: bool | None = None,
    preset: RefinePreset | None = None,
    device: str | None = None,
    seed: int | None = None,
    full_resolution_field: bool | None = None,
    time_points: bool | None = None,
    config: Config | None = None,
    on_progress: OnProgress = ignore_progress,
    started: float | None = None,
) -> RegisterReport:
    """Register one pair of scans and write what `infer` writes for a case, and its transforms.

        pair = lungreg.PairFiles(fixed="exp.nii.gz", moving="insp.nii.gz")
        done = lungreg.register(pair, "out", preset="best", seed=1)
        lungreg.show(done)

    Landmarks are measured by, not used; without masks the lungs are found by threshold. Settings
    are given as keywords or as one object, and a keyword wins; what they mean is said at
    `RegisterSettings`.

    Args:
        files: Both scans, and masks and landmarks where there are some.
        out: Folder for the results: new, empty, or with those of an earlier call, which are
            replaced or removed.
        settings: Alignment, refinement, model, device.
        model: "NAME" or "NAME:VERSION" of the registry to start from.
        alignment: Choice of the initial alignment.
        refine: Optimise.
        preset: Of the refinement: fast, default or best.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        seed: Of the optimisation.
        full_resolution_field: Write displacement.nii.gz on the fixed scan's own grid.
        time_points: Whether the scans are several time points of one breathing state.
        config: Says what no setting says, and names the backend of a model, the intensity window
            and the verdict's thresholds.
        on_progress: Called before and after every step, and after every step of the optimisation
            with its loss; see `progress_bar`.
        started: `time.time()` of what `wall_s` counts from; now, if not given.

    Raises:
        StoreUnavailableError: The folder cannot be written.
        RunError: The folder holds other files.
        ConfigError: No device is called so, or a setting has no such value.
        DataError: A file is unreadable, no chest CT or no mask of its scan's lungs, or most
            landmarks lie outside their scan.
        MissingExtraError: A model, and MONAI is not installed.
        NotFoundError: No such model.
        ResourceError: No such device, or not enough memory.
    """
    keywords = given(
        model=model,
        alignment=alignment,
        refine=refine,
        preset=preset,
        device=device,
        seed=seed,
        full_resolution_field=full_resolution_field,
        time_points=time_points,
    )
    settings = replace(settings, **keywords)
    applied = settings.applied_to(config or Config())
    return _register(
        files,
        Path(out),
        settings.model,
        applied,
        notes=() if settings.refine is False or applied.refine.enabled else (_NOT_OPTIMISED,),
        within=partial(one_step, on_progress),
        on_step=_step_callback(on_progress),
        started=time.time() if started is None else started,
    )


def _register(
    files: PairFiles,
    out: Path,
    model: str | None,
    config: Config,
    *,
    notes: Sequence[str],
    within: Within,
    on_step: OnStep,
    started: float,
) -> RegisterReport:
    stage = LocalStage(out, fsync=False)
    require_writable(stage.root)
    holds_earlier_results(stage.root)
    device = choose_device(config.infer.device)
    require_extras(*([] if model is None else ["train"]))
    begun, clock = datetime.now(UTC), time.perf_counter()
    with within("reading"):
        read = read_pair_files(files, _CASE, max_voxels=config.ingest.max_voxels)
    pair, read_s = read.pair, time.perf_counter() - clock
    estimate, config, made = _estimate(config, model, device, within, on_step)
    registered = register_pair(
        pair,
        estimate,
        hu_window=config.preprocessing.hu_window,
        alignment=config.infer.alignment or config.preprocessing.alignment,
        thresholds=config.quality,
        device=device,
        within=within,
    )
    registered = replace(registered, notes=(*read.notes, *registered.notes, *notes))
    remarks = remarks_of(registered)
    result = replace(
        _result(registered, remarks, begun, device),
        read_s=read_s,
        model_name=made.get("model"),
        model_version=made.get("version"),
    )
    facts = {**made, "alignment": registered.alignment.kind, "seed": config.seed}
    with within("inverse"):
        beside = _transform_files(pair, registered, facts, device)
    with within("writing"):
        beside = {
            INPUTS_FILE: note_files(files),  # first: by it a later call knows the folder
            **beside,
            _NAMES.page: _page(files, result, registered, facts, remarks, config.quality),
        }
        remove_old(stage, _NOT_ALWAYS, keep={*beside, result.output_label or ""})
        for name in list(beside):
            stage.write(name, beside.pop(name))  # what is written need not stay in memory
        write_outputs(
            stage,
            _NAMES,
            pair,
            registered,
            result,
            full_resolution=config.infer.full_resolution_field,
            more={"made": facts, "wall_s": time.time() - started},
        )
    return RegisterReport(
        folder=out,
        result=PairResult(
            **vars(result), folder=stage.root, hu_window=config.preprocessing.hu_window
        ),
        alignment=registered.alignment.kind,
        reasons=remarks.reasons,
        notes=remarks.notes,
        regions=remarks.regions,
        compute_s=registered.field_s,
        wall_s=time.time() - started,
    )


def _step_callback(on_progress: OnProgress) -> OnStep:
    """A callback for the optimiser that reports each of its steps."""

    def report(step: Step) -> None:
        name = f"level {step.level} of {step.levels}, {step.spacing_mm:.2g} mm"
        on_progress(Progress(step=name, done=step.done, total=step.total, loss=step.loss))

    return report


def _result(
    registered: Registered, remarks: Remarks, begun: datetime, device: torch.device
) -> CaseResult:
    return CaseResult(
        **asdict(registered.measured.metrics),
        **result_files(_NAMES, registered),
        run_id="register",
        case_id=_CASE,
        verdict=registered.judgement.verdict,
        evidence=registered.judgement.evidence,
        reasons=remarks.in_one_line,
        compute_s=registered.field_s,
        worker=str(device),
        started_at=begun,
        finished_at=datetime.now(UTC),
    )


def _estimate(
    config: Config,
    model: str | None,
    device: torch.device,
    within: Within,
    on_step: OnStep,
) -> tuple[Estimate, Config, dict[str, str]]:
    """The estimate of `T`, the config with the model's preprocessing, and facts for the records."""
    start: Estimate | None = None
    made: dict[str, str] = {}
    if model is not None:
        # Only with a model: MONAI and the registry take seconds to import.
        with within("model"):
            from lungreg.learning.stored_model import load_estimate

            models = open_backend(config.backend).for_run(None, "register").models
            start, config, card = load_estimate(models, config, model, device)
        made = {"model": card.name, "version": card.version}
    if not config.refine.enabled:
        return start or alignment_alone, config, made
    made["refinement"] = config.refine.preset
    refined = refinement_estimate(
        config.refine,
        device,
        seed=config.seed,
        start=start,
        on_step=on_step,
    )
    return refined, config, made


def _transform_files(
    pair: Pair, registered: Registered, made: Mapping[str, Any], device: torch.device
) -> dict[str, bytes]:
    return encode_transform_files(
        registered.transform,
        fixed=pair.fixed.grid,
        moving=pair.moving.grid,
        moving_lungs=pair.moving_lungs.inside,
        made=made,
        device=device,
    )


def _page(
    files: PairFiles,
    result: CaseResult,
    registered: Registered,
    made: Mapping[str, Any],
    remarks: Remarks,
    quality: Quality,
) -> bytes:
    # On the user's own disk a page may say which scan it is of: many lie open side by side.
    named = replace(result, case_id=files.fixed.absolute().name or _CASE)
    page = render_case(
        named,
        registered.images,
        provenance=provenance(made),
        remarks=remarks,
        places=registered.measured.places,
        landmarks=registered.measured.landmarks,
        rules=describe_rules(quality),
    )
    return page.encode()
