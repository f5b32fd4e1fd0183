"""A run of `infer` whose transforms are known in closed form, without registering anything."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import numpy as np

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.formats.transforms import describe_transform, encode_displacement
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.records import Case, CaseResult, Status, Verdict
from lungreg.spatial.displacement import dense_displacement, resample
from lungreg.spatial.geometry import Transform
from lungreg.spatial.total_displacement import total_displacement_mm
from lungreg.stores import Stage
from lungreg.stores.manifest import ManifestFile, ManifestRow, write_manifest
from lungreg.stores.names import RunNames
from tests.grids import voxels
from tests.small_cases import (
    FIXED_GRID,
    MOVING_GRID,
    breath,
    put_case,
    scan,
)

RUN = "infer-1"
FIELD_GRID = FIXED_GRID.resized((16, 14, 12))


def wavy(seed: int) -> Transform:
    """The case's truth with some waves of a few mm."""
    x, y, z = FIELD_GRID.to_world(voxels(FIELD_GRID)).T / 60.0
    waves = 6.0 * np.stack([np.sin(x + y), np.cos(z), np.sin(y - z)])
    field = waves.reshape(3, *FIELD_GRID.shape).astype(np.float32)
    return Transform(affine=breath(seed), displacement_mm=field, grid=FIELD_GRID)


def result(case_id: str, status: Status = Status.SUCCESS) -> CaseResult:
    """A row of the run."""
    now = datetime.now(UTC)
    return CaseResult(run_id=RUN, case_id=case_id, status=status, started_at=now, finished_at=now)


def put_in_manifest(config: Config, case: Case) -> None:
    """List a case's files as ingest does."""
    stage = open_backend(config.backend).stage
    roles = ("fixed", "moving", "fixed_mask", "moving_mask", "landmarks")
    names = {role: getattr(case, role) for role in roles if getattr(case, role) is not None}
    files = tuple(
        ManifestFile(
            role=role,
            name=name,
            size=stage.size(name),
            sha256=hashlib.sha256(stage.read(name)).hexdigest(),
        )
        for role, name in names.items()
    )
    now = datetime.now(UTC)
    row = ManifestRow(case_id=case.case_id, verdict=Verdict.PASS, files=files, checked_at=now)
    write_manifest(stage, [row])


def put_run(config: Config, seeds: dict[str, int]) -> None:
    """Register cases with the maps that the tests know."""
    backend = open_backend(config.backend)
    for case_id, seed in seeds.items():
        case = put_case(backend.stage, case_id, seed=seed)
        put_in_manifest(config, case)

        write_case(backend.stage, case_id, seed)
        backend.results.write([result(case_id)])


def write_case(stage: Stage, case_id: str, seed: int) -> None:
    """What a registration leaves of its transform, image and label."""
    transform = wavy(seed)
    total = total_displacement_mm(transform.affine, transform.displacement_mm, FIELD_GRID)
    made = {"model": "lungs", "version": "3", "run": RUN, "alignment": "world", "file": "total"}
    described = describe_transform(transform, fixed=FIXED_GRID, moving=MOVING_GRID, made=made)
    dense = dense_displacement(transform, FIXED_GRID)
    grids = (MOVING_GRID, FIXED_GRID, transform.affine, dense)
    moving, mask = scan(MOVING_GRID, seed, breath(seed))
    image = resample(moving, *grids, outside_value=-1000.0).values
    label = resample(mask, *grids, mode="nearest").values
    files = {
        "displacement.nii.gz": encode_displacement(total, FIELD_GRID),
        "displacement.json": json.dumps(described).encode(),
        "registered_img.nii.gz": encode_volume(image, FIXED_GRID, Stored(dtype="int16")),
        "registered_label.nii.gz": encode_labels(label, FIXED_GRID),
    }
    for name, data in files.items():
        stage.write(RunNames(RUN).case(case_id).file(name), data)
