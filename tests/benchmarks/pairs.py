"""The pairs that tools are compared on.

Analytic thoraxes and real CTs that breathe as `lungreg simulate` makes them, and varied pairs
(`tests.varied`) that its optimiser was not tuned on: of these, held-back seeds alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.volumes import Stored, encode_labels, encode_volume, read_volume
from lungreg.sources.simulation.analytic import simulate_pair
from lungreg.sources.simulation.real import simulate_from_ct
from lungreg.sources.simulation.records import BreathingSettings, SimulatedPair
from lungreg.spatial.geometry import Grid
from tests.varied import VariedCase, available_bases, is_held_back, make_varied

ANALYTIC_SHAPE, ANALYTIC_SPACING_MM = (196, 150, 116), (1.4, 1.4, 2.5)
_STORED = Stored(dtype="int16")


@dataclass(frozen=True, kw_only=True)
class BenchPair:
    """One pair as files."""

    name: str
    folder: Path

    def file(self, role: str) -> Path:
        """fixed, moving, fixed_mask, moving_mask or landmarks."""
        return self.folder / (f"{role}.csv" if role == "landmarks" else f"{role}.nii.gz")


def make_varied_pairs(
    folder: Path, wanted: str, *, troubles: Sequence[str], seeds: Sequence[int]
) -> Iterator[BenchPair]:
    """Write varied pairs, named varied-BASE-TROUBLE-SEED.

    Args:
        folder: Where to.
        wanted: Only pairs whose name holds this are made.
        troubles: Keys of `TROUBLES`.
        seeds: Held-back ones.

    Raises:
        ValueError: A seed that tuning may have used.
    """
    tuned = [seed for seed in seeds if not is_held_back(seed)]
    if tuned:
        msg = f"the benchmark takes seeds that nothing was tuned on, got {tuned}"
        raise ValueError(msg)
    for base in available_bases():
        for seed in seeds:
            for trouble in troubles:
                name = f"varied-{base}-{trouble}-{seed}"
                if wanted in name:
                    yield write_varied(folder / name, make_varied(base, trouble, seed))


def make_pairs(folder: Path, seed: int) -> Iterator[BenchPair]:
    """Write the simulated pairs; those on real CT where `LUNGREG_REAL_DATA` names the folder.

    Args:
        folder: Where to.
        seed: Another one makes other patients, breaths and noise.
    """
    for motion_mm in (15.0, 30.0, 45.0):
        settings = BreathingSettings(diaphragm_mm=(motion_mm, motion_mm))
        made = simulate_pair(
            seed,
            int(motion_mm),
            shape=ANALYTIC_SHAPE,
            spacing_mm=ANALYTIC_SPACING_MM,
            settings=settings,
        )
        yield _write(folder / f"analytic-{motion_mm:.0f}mm", made)
    settings = BreathingSettings(diaphragm_mm=(30.0, 30.0), cutoff_mm=40.0)
    cut = simulate_pair(
        seed, 1, shape=ANALYTIC_SHAPE, spacing_mm=ANALYTIC_SPACING_MM, settings=settings
    )
    yield _write(folder / "analytic-30mm-cut", cut)
    for number, (name, ct, mask) in enumerate(_real()):
        settings = BreathingSettings(diaphragm_mm=(20.0, 25.0))
        scan, labels = read_volume(ct), read_volume(mask, mask=True)
        made = simulate_from_ct(
            scan.data, labels.data, scan.grid, seed=seed, index=number, settings=settings
        )
        yield _write(folder / f"real-{name}", made)


def _real() -> Iterator[tuple[str, Path, Path]]:
    root = os.environ.get("LUNGREG_REAL_DATA")
    if not root:
        return
    for scan in sorted(Path(root).glob("*/ct*.nii.gz")):
        masks = sorted(scan.parent.glob("lung_mask*.nii.gz"))
        if masks:
            yield scan.parent.name, scan, masks[0]


def _write(folder: Path, made: SimulatedPair) -> BenchPair:
    scans = {"fixed": (made.fixed, made.fixed_grid), "moving": (made.moving, made.moving_grid)}
    masks = {"fixed": made.fixed_mask, "moving": made.moving_mask}
    return _write_files(folder, scans, masks, made.landmarks_vox)


def write_varied(folder: Path, made: VariedCase) -> BenchPair:
    """Write a varied pair as the files that every tool starts from."""
    pair = made.with_landmarks
    scans = {
        "fixed": (pair.fixed.data, pair.fixed.grid),
        "moving": (pair.moving.data, pair.moving.grid),
    }
    masks = {"fixed": made.fixed_mask, "moving": made.moving_mask}
    assert pair.landmarks_vox is not None
    return _write_files(folder, scans, masks, pair.landmarks_vox)


def _write_files(
    folder: Path,
    scans: Mapping[str, tuple[NDArray[Any], Grid]],
    masks: Mapping[str, NDArray[Any]],
    landmarks_vox: NDArray[np.float64],
) -> BenchPair:
    folder.mkdir(parents=True)
    for role, (values, grid) in scans.items():
        data = encode_volume(values.astype(np.float32), grid, _STORED)
        (folder / f"{role}.nii.gz").write_bytes(data)
        (folder / f"{role}_mask.nii.gz").write_bytes(encode_labels(masks[role], grid))
    (folder / "landmarks.csv").write_bytes(encode_landmarks(landmarks_vox))
    return BenchPair(name=folder.name, folder=folder)
