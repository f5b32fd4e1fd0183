"""Simulate: breathing pairs with known truth, as files."""

from __future__ import annotations

import json
from pathlib import Path

from lungreg.errors import ConfigError
from lungreg.formats.local_files import write_file
from lungreg.formats.volumes import read_volume
from lungreg.formats.volumes.volume import require_same_grid
from lungreg.sources.simulation import (
    DEFAULT_SHAPE,
    DEFAULT_SPACING_MM,
    Anatomy,
    BreathingSettings,
    simulate_cohort,
)
from lungreg.spatial.geometry import Shape

_MARKER = "simulation.json"
"""Says what has made the pairs beside it."""


def simulate(
    folder: Path,
    *,
    cases: int,
    seed: int = 0,
    cutoff_mm: float = 0.0,
    shape: Shape | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    ct: Path | None = None,
    mask: Path | None = None,
) -> list[str]:
    """Make breathing pairs with known truth in the Zenodo layout.

    Args:
        folder: Where they go: new, empty, or one that the same call has filled before. Pairs are
            named by number, as real ones may be.
        cases: How many.
        seed: The same seed gives the same bytes.
        cutoff_mm: How much of the bases the expiration's field of view cuts off.
        shape: Voxels of an analytic chest.
        spacing_mm: Their spacing.
        ct: A real scan to breathe with instead of the analytic chest; needs its lung mask.
        mask: The lung mask of `ct`.

    Returns:
        Their case ids.

    Raises:
        LungregError: Unreadable scan or mask, one without the other, or a folder with other files.
    """
    if (ct is None) != (mask is None):
        msg = "a real scan is simulated with its lung mask"
        raise ConfigError(msg, got="one without the other", mend="give --from and --mask")
    anatomy = None
    if ct is not None and mask is not None:
        scan, labels = read_volume(ct), read_volume(mask, mask=True)
        require_same_grid(scan, labels)
        anatomy = Anatomy(ct=scan.data, mask=labels.data, grid=scan.grid)
    settings = {
        "cases": cases,
        "seed": seed,
        "cutoff_mm": cutoff_mm,
        "shape": shape,
        "spacing_mm": spacing_mm,
        "ct": None if ct is None else ct.name,
    }
    _claim(folder, json.dumps(settings).encode())
    ids = simulate_cohort(
        folder,
        cases=cases,
        seed=seed,
        shape=shape or DEFAULT_SHAPE,
        spacing_mm=spacing_mm or DEFAULT_SPACING_MM,
        settings=BreathingSettings(cutoff_mm=cutoff_mm),
        anatomy=anatomy,
    )
    return list(ids)


def _claim(folder: Path, settings: bytes) -> None:
    """Mark a folder as that of one simulation.

    With a mark alone it is empty: the settings were refused.

    Raises:
        ConfigError: It holds files of something else.
    """
    marker = folder / _MARKER
    is_ours = marker.is_file() and marker.read_bytes() == settings
    holds_more = folder.is_dir() and any(file != marker for file in folder.iterdir())
    if holds_more and not is_ours:
        msg = "pairs are simulated into a folder that is new or empty"
        raise ConfigError(msg, got="one with other files", mend="name another one", where=folder)
    write_file(marker, settings)
