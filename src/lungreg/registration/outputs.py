"""What a registered case leaves in its folder on the stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.config import Quality
from lungreg.formats.transforms import describe_transform, encode_displacement
from lungreg.formats.volumes import encode_labels, encode_volume
from lungreg.metrics.verdict import explain
from lungreg.records import CaseResult, Remarks
from lungreg.registration.pair import Pair
from lungreg.registration.register import Registered
from lungreg.spatial.displacement import total_displacement_mm
from lungreg.spatial.geometry import Grid
from lungreg.stores import Stage

_FILES = 5
"""Of a case, written at once."""


def remarks_of(registered: Registered, thresholds: Quality) -> Remarks:
    """What to tell of a registered case beside its numbers."""
    reasons = explain(registered.metrics, thresholds, registered.evidence)
    notes = [registered.alignment.warning] if registered.alignment.warning else []
    if registered.lungs_from == "whole scan":
        # Without lungs the measures "in the lungs" are over all voxels, and must not seem less.
        reasons = [reason.replace("the lungs", "the whole scan") for reason in reasons]
        notes.append(
            "no lungs were found in the fixed scan: what is measured in them is of the whole scan"
        )
    return Remarks(
        reasons=tuple(reasons),
        lungs_from=registered.lungs_from,
        notes=(*notes, *registered.notes),
    )


def write_outputs(
    stage: Stage,
    folder: str,
    pair: Pair,
    registered: Registered,
    result: CaseResult,
    *,
    full_resolution: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write a case's image, label, displacement and metrics to a folder of the stage.

    Args:
        stage: Where to.
        folder: Empty for the stage itself.
        pair: The case in memory.
        registered: What came of it.
        result: Its row.
        full_resolution: Write the displacement on the fixed scan's own grid.
        more: Further facts for metrics.json.
    """
    fixed, label = pair.fixed.grid, registered.label
    field_mm, field_grid = _displacement(registered, fixed, full_resolution=full_resolution)
    sidecar = _sidecar(pair, registered, result, full_resolution=full_resolution)
    facts = {
        **dataclasses.asdict(result),
        "alignment": registered.alignment.kind,
        "alignment_warning": registered.alignment.warning,
        "lungs_from": registered.lungs_from,
        "notes": registered.notes,
        **(more or {}),
    }
    packed: dict[str, Callable[[], bytes]] = {
        "registered_img.nii.gz": lambda: encode_volume(registered.image, fixed, pair.moving.stored),
        "displacement.nii.gz": lambda: encode_displacement(field_mm, field_grid),
        "displacement.json": lambda: _json(sidecar),
        "metrics.json": lambda: _json(facts),
    }
    if label is not None:
        packed["registered_label.nii.gz"] = lambda: encode_labels(label, fixed)
    _write_all(stage, f"{folder}/" if folder else "", packed)


def _write_all(stage: Stage, prefix: str, packed: Mapping[str, Callable[[], bytes]]) -> None:
    """Pack and write all files at once, on the cores that there are.

    A stage elsewhere takes its time to answer. The first fault is raised once all have ended.
    """
    with ThreadPoolExecutor(_FILES) as pool:
        writes = [
            pool.submit(lambda name, pack: stage.write(f"{prefix}{name}", pack()), name, pack)
            for name, pack in packed.items()
        ]
    for write in writes:
        write.result()


def _displacement(
    registered: Registered, fixed: Grid, *, full_resolution: bool
) -> tuple[NDArray[np.float32], Grid]:
    affine = registered.transform.affine
    if full_resolution:
        return total_displacement_mm(affine, registered.dense_mm, fixed), fixed
    grid = registered.transform.grid
    return total_displacement_mm(affine, registered.transform.displacement_mm, grid), grid


def _sidecar(
    pair: Pair, registered: Registered, result: CaseResult, *, full_resolution: bool
) -> dict[str, Any]:
    made = {
        "model": result.model_name,
        "version": result.model_version,
        "run": result.run_id,
        "alignment": registered.alignment.kind,
        "file": "total displacement T(x) - x, the affine included",
        "resolution": "fixed scan" if full_resolution else "as computed",
    }
    return describe_transform(
        registered.transform, fixed=pair.fixed.grid, moving=pair.moving.grid, made=made
    )


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, default=str).encode()
