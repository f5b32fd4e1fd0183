"""Write simulated pairs as files in the layout of the Zenodo record."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from lungreg.errors import DataError, StoreUnavailableError
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.transforms import encode_displacement
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.records import counted
from lungreg.sources.simulation.analytic import simulate_pair
from lungreg.sources.simulation.real import simulate_from_ct
from lungreg.sources.simulation.records import Anatomy, BreathingSettings, SimulatedPair
from lungreg.spatial.geometry import Shape

DEFAULT_SHAPE: Shape = (96, 80, 96)
DEFAULT_SPACING_MM = (3.2, 3.2, 3.0)
_AS_INT16 = Stored(dtype="int16")
_DEFAULT = BreathingSettings()


def write_pair(pair: SimulatedPair, folder: Path, case_id: str) -> None:
    """Write a pair in the Zenodo layout, the same bytes for the same pair.

    `scans/`, `lungMasks/` (both `CASE_exp.nii.gz`, `CASE_insp.nii.gz`), `keypoints/CASE.csv` and,
    beyond that layout, the truth: `displacements/CASE.nii.gz`, the total displacement `T(x) - x`
    in LPS mm with shape (X, Y, Z, 1, 3).

    Raises:
        StoreUnavailableError: The folder cannot be written.
    """
    for name, data in _files(pair, case_id):
        path = folder / name
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            msg = "the folder for simulated pairs can be written"
            raise StoreUnavailableError(msg, got=error.strerror, where=path) from error


def simulate_cohort(
    folder: Path,
    *,
    cases: int,
    seed: int,
    shape: Shape = DEFAULT_SHAPE,
    spacing_mm: tuple[float, float, float] = DEFAULT_SPACING_MM,
    settings: BreathingSettings = _DEFAULT,
    anatomy: Anatomy | None = None,
    workers: int = 1,
) -> tuple[str, ...]:
    """Simulate pairs and write them in the Zenodo layout.

    Args:
        folder: Where to; made if missing.
        cases: How many pairs, at least 1; the first ones do not depend on it.
        seed: Not negative. The same seed gives the same bytes, with any number of workers.
        shape: Voxels of an analytic chest's scans.
        spacing_mm: Their spacing.
        settings: How the patients breathe.
        anatomy: A real CT to breathe with instead; `shape` and `spacing_mm` then do not matter.
        workers: How many pairs are made at once, each in a thread.

    Returns:
        The case ids: `case_001`, `case_002`, ...

    Raises:
        DataError: No case, or what `simulate_pair` and `simulate_from_ct` refuse.
        StoreUnavailableError: The folder cannot be written.
    """
    if cases < 1 or seed < 0:
        msg = "a cohort has at least 1 case and a seed that is not negative"
        raise DataError(msg, got=f"{counted(cases, 'case')}, seed {seed}")

    def make(index: int) -> str:
        if anatomy is None:
            pair = simulate_pair(seed, index, shape=shape, spacing_mm=spacing_mm, settings=settings)
        else:
            pair = simulate_from_ct(
                anatomy.ct, anatomy.mask, anatomy.grid, seed=seed, index=index, settings=settings
            )
        case_id = f"case_{index + 1:03d}"
        write_pair(pair, folder, case_id)
        return case_id

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return tuple(pool.map(make, range(cases)))


def _files(pair: SimulatedPair, case_id: str) -> Iterator[tuple[str, bytes]]:
    yield f"scans/{case_id}_exp.nii.gz", encode_volume(pair.fixed, pair.fixed_grid, _AS_INT16)
    yield f"scans/{case_id}_insp.nii.gz", encode_volume(pair.moving, pair.moving_grid, _AS_INT16)
    yield f"lungMasks/{case_id}_exp.nii.gz", encode_labels(pair.fixed_mask, pair.fixed_grid)
    yield f"lungMasks/{case_id}_insp.nii.gz", encode_labels(pair.moving_mask, pair.moving_grid)
    yield f"keypoints/{case_id}.csv", encode_landmarks(pair.landmarks_vox)
    truth = encode_displacement(pair.displacement_mm, pair.fixed_grid)
    yield f"displacements/{case_id}.nii.gz", truth
