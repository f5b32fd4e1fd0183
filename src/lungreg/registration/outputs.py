"""The files of a registered case: writing them to a stage, and reading the transform back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.devices import give_back_memory
from lungreg.formats.transforms import (
    Description,
    decode_description,
    decode_transform,
    describe_transform,
    encode_displacement,
)
from lungreg.formats.volumes import encode_labels, encode_volume
from lungreg.records import CaseResult, Remarks
from lungreg.registration.pair import Pair
from lungreg.registration.register import Registered
from lungreg.spatial.geometry import Grid, Transform
from lungreg.spatial.total_displacement import total_displacement_mm
from lungreg.stores import Stage
from lungreg.stores.names import CaseNames

_FILES_AT_ONCE = 5


def remarks_of(registered: Registered) -> Remarks:
    """Reasons of the verdict and notes of a registered case, as its page and console show them."""
    reasons = list(registered.judgement.reasons)
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
        regions=registered.measured.evidence.etre_regions,
    )


def result_files(names: CaseNames, registered: Registered) -> dict[str, Any]:
    """The columns of a case's result row that name its files on the stage."""
    return {
        "output_image": names.image,
        "output_label": None if registered.label is None else names.label,
        "output_transform": names.displacement,
    }


def write_outputs(
    stage: Stage,
    names: CaseNames,
    pair: Pair,
    registered: Registered,
    result: CaseResult,
    *,
    full_resolution: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write a case's image, label, displacement and metrics to its folder on the stage.

    Args:
        stage: Where to write.
        names: The case's files there.
        pair: The case in memory.
        registered: Its registration.
        result: Its row of the result table.
        full_resolution: Write the displacement on the fixed scan's own grid.
        more: Further facts for metrics.json.
    """
    give_back_memory()
    fixed, label = pair.fixed.grid, registered.label
    field_mm, field_grid = _displacement(registered, fixed, full_resolution=full_resolution)
    description = _description(pair, registered, result, full_resolution=full_resolution)
    facts = {
        **dataclasses.asdict(result),
        "reasons": remarks_of(registered).reasons,
        "alignment": registered.alignment.kind,
        "alignment_warning": registered.alignment.warning,
        "lungs_from": registered.lungs_from,
        "notes": registered.notes,
        "further_evidence": dataclasses.asdict(registered.measured.evidence),
        **(more or {}),
    }
    encoders: dict[str, Callable[[], bytes]] = {
        names.image: lambda: encode_volume(registered.image, fixed, pair.moving.stored),
        names.displacement: lambda: encode_displacement(field_mm, field_grid),
        names.description: lambda: _json(description),
        names.metrics: lambda: _json(facts),
    }
    if label is not None:
        encoders[names.label] = lambda: encode_labels(label, fixed)
    _write_all(stage, encoders)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredRegistration:
    """The transform of a registered case, read back from its files."""

    transform: Transform
    """`T`; its affine is the initial alignment `A` that the case was registered with."""
    description: Description
    """The JSON beside the displacement: grids of both scans, and how it was made."""


def read_registration(stage: Stage, names: CaseNames) -> StoredRegistration:
    """Read back the transform that `write_outputs` wrote.

    Raises:
        NotFoundError: A file is missing.
        UnreadableFileError: A file is damaged.
        DataError: A file holds something else, or a displacement that is not finite.
    """
    description = decode_description(stage.read(names.description))
    transform = decode_transform(stage.read(names.displacement), description.affine)
    return StoredRegistration(transform=transform, description=description)


def _write_all(stage: Stage, encoders: Mapping[str, Callable[[], bytes]]) -> None:
    """Encode and write all files at once: a remote stage answers slowly.

    The first error is raised once all writes have ended.
    """
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        writes = [
            pool.submit(lambda name, encode: stage.write(name, encode()), name, encode)
            for name, encode in encoders.items()
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


def _description(
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
