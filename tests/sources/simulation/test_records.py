"""Settings of a simulation."""

from __future__ import annotations

import pytest

from lungreg.errors import ConfigError
from lungreg.sources.simulation import BreathingSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"diaphragm_mm": (45.0, 15.0)},
        {"rib_mm": (-1.0, 2.0)},
        {"cutoff_mm": -1.0},
        {"noise_hu": float("nan")},
        {"landmarks": 99},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """Ranges in order, lengths that a chest has, at least 100 landmarks."""
    with pytest.raises(ConfigError):
        BreathingSettings(**wrong)  # type: ignore[arg-type]
