"""What a registered case leaves in its folder on the stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from lungreg.displacement import total_displacement_mm
from lungreg.geometry import Grid
from lungreg.pairs import Pair
from lungreg.records import CaseResult
from lungreg.registration import Registered
from lungreg.stores import Stage
from lungreg.transform_files import describe_transform, encode_displacement
from lungreg.volumes import encode_labels, encode_volume


def case_folder(run_id: str, case_id: str) -> str:
    """Where a run keeps the files of a case on the stage."""
    return f"runs/{run_id}/cases/{case_id}"


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
    fixed, prefix = pair.fixed.grid, f"{folder}/" if folder else ""
    image = encode_volume(registered.image, fixed, pair.moving.stored)
    stage.write(f"{prefix}registered_img.nii.gz", image)
    if registered.label is not None:
        label = encode_labels(registered.label, fixed)
        stage.write(f"{prefix}registered_label.nii.gz", label)
    field = _displacement_file(registered, fixed, full_resolution=full_resolution)
    stage.write(f"{prefix}displacement.nii.gz", field)
    sidecar = _sidecar(pair, registered, result, full_resolution=full_resolution)
    stage.write(f"{prefix}displacement.json", _json(sidecar))
    facts = {
        **dataclasses.asdict(result),
        "alignment": registered.alignment.kind,
        "alignment_warning": registered.alignment.warning,
        "lungs_from": registered.lungs_from,
        "notes": registered.notes,
        **(more or {}),
    }
    stage.write(f"{prefix}metrics.json", _json(facts))


def _displacement_file(registered: Registered, fixed: Grid, *, full_resolution: bool) -> bytes:
    affine = registered.transform.affine
    if full_resolution:
        return encode_displacement(total_displacement_mm(affine, registered.dense_mm, fixed), fixed)
    grid = registered.transform.grid
    total = total_displacement_mm(affine, registered.transform.displacement_mm, grid)
    return encode_displacement(total, grid)


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
