"""Cases of a few thousand voxels on a stage: ellipsoids that breathe, the truth an affine."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from lungreg.config import Config, parse_config
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.transforms import encode_displacement
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.records import Case
from lungreg.spatial.geometry import Grid, apply_affine
from lungreg.stores import Stage
from tests.grids import oblique_grid, voxels

CENTRE_RAS = (5.0, -15.0, 40.0)
FIXED_GRID = oblique_grid((20, 16, 18), spacing_mm=(14.0, 15.0, 13.0), centre_ras=CENTRE_RAS)
MOVING_GRID = oblique_grid(
    (18, 22, 16),
    spacing_mm=(13.0, 14.0, 15.0),
    angles_rad=(-0.1, 0.2, 0.1),
    axes=(2, 0, 1),
    signs=(1.0, -1.0, 1.0),
    centre_ras=CENTRE_RAS,
)
_STILL = np.eye(4)


def breath(seed: int) -> NDArray[np.float64]:
    """(4, 4) where the tissue of each point of the fixed scan lies in the moving one, RAS mm."""
    rng = np.random.default_rng([seed, 7])
    matrix = np.eye(4)
    matrix[:3, :3] = np.diag([1.03, 1.05, rng.uniform(1.08, 1.2)])
    matrix[:3, 3] = CENTRE_RAS - matrix[:3, :3] @ np.array(CENTRE_RAS) + rng.uniform(-4, 4, 3)
    return matrix


def scan(
    grid: Grid, seed: int, moved: NDArray[np.float64] = _STILL
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Hounsfield units and lungs (1 right, 2 left) of one patient, the body moved by a map."""
    x, y, z = (apply_affine(np.linalg.inv(moved), grid.to_world(voxels(grid))) - CENTRE_RAS).T
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    mask, lung = np.zeros(len(x), dtype=np.uint8), np.zeros(len(x))
    for label, side in ((1, 1.0), (2, -1.0)):
        radius = np.sqrt(((x - 52 * side) / 40) ** 2 + (y / 60) ** 2 + (z / 80) ** 2)
        mask[radius < 1] = label
        lung += _soft(radius)
    waves = np.sin(x / 15 + phase[0]) * np.sin(y / 15 + phase[1]) * np.sin(z / 15 + phase[2])
    body = _soft(np.sqrt((x / 125) ** 2 + (y / 95) ** 2))
    hu = -1000 + (1040 + 30 * waves) * body
    hu += (-780 + 150 * waves - hu) * lung
    return hu.reshape(grid.shape).astype(np.float32), mask.reshape(grid.shape)


def _soft(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside and 0 outside of radius 1, with an edge as wide as a voxel or two."""
    return np.clip(0.5 + (1 - radius) / 0.5, 0.0, 1.0)


def landmarks(seed: int, count: int = 20) -> NDArray[np.float64]:
    """(N, 6) points of the lungs in voxels of both scans."""
    _, mask = scan(FIXED_GRID, seed)
    rng = np.random.default_rng([seed, 3])
    inside = np.argwhere(mask > 0)
    fixed = inside[rng.choice(len(inside), count)].astype(np.float64)
    carried = apply_affine(breath(seed), FIXED_GRID.to_world(fixed))
    return np.concatenate([fixed, MOVING_GRID.to_voxel(carried)], axis=1)


def true_displacement(seed: int) -> NDArray[np.float32]:
    """(3, X, Y, Z) `T(x) - x` of a patient on the fixed grid, RAS mm."""
    points = FIXED_GRID.to_world(voxels(FIXED_GRID))
    moved = apply_affine(breath(seed), points) - points
    return moved.T.reshape(3, *FIXED_GRID.shape).astype(np.float32)


def put_case(
    stage: Stage,
    case_id: str,
    *,
    seed: int = 0,
    masks: bool = True,
    points: bool = True,
    truth: bool = False,
    offset: float = 0.0,
) -> Case:
    """Write a case's files to a stage.

    Args:
        stage: Where to.
        case_id: Its name.
        seed: Of the patient.
        masks: Whether it has masks.
        points: Whether it has landmarks.
        truth: Whether its displacement is known.
        offset: What the moving scan's stored values lie above Hounsfield units.
    """
    fixed, fixed_mask = scan(FIXED_GRID, seed)
    moving, moving_mask = scan(MOVING_GRID, seed, breath(seed))
    stored = Stored(dtype="int16")
    files = {
        "fixed": encode_volume(fixed, FIXED_GRID, stored),
        "moving": encode_volume(moving + np.float32(offset), MOVING_GRID, stored),
    }
    if masks:
        files["fixed_mask"] = encode_labels(fixed_mask, FIXED_GRID)
        files["moving_mask"] = encode_labels(moving_mask, MOVING_GRID)
    if points:
        files["landmarks"] = encode_landmarks(landmarks(seed))
    if truth:
        files["displacement"] = encode_displacement(true_displacement(seed), FIXED_GRID)
    for role, data in files.items():
        stage.write(f"{role}/{case_id}", data)
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    names = {role: f"{role}/{case_id}" for role in files}
    return Case(case_id=case_id, moving_hu_offset=offset, fingerprint=digest, **names)


def small_config(**sections: dict[str, object]) -> Config:
    """A network of 16 voxels a side and 2 channels, aligned by the headers, without Ray."""
    raw: dict[str, dict[str, object]] = {
        "preprocessing": {"spatial_size": [16, 16, 16], "alignment": "world"},
        "network": {"num_channel_initial": 2, "extract_levels": [0, 1, 2]},
        "train": {"workers": 0, "epochs": 2, "device": "cpu", "learning_rate": 1e-3},
        "infer": {"model": "lung_ct_registration", "workers": 0, "device": "cpu"},
    }
    return parse_config(
        {name: {**raw.get(name, {}), **sections.get(name, {})} for name in {*raw, *sections}}
    )
