"""The settings of `register` and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from lungreg.config import Alignment, Config, RefinePreset
from lungreg.config.run import SEEDS
from lungreg.errors import ConfigError
from lungreg.records import PairResult, RegionError
from lungreg.records.measures import MAIN_METRICS
from lungreg.records.summary import Facts, Summary


@dataclass(frozen=True, kw_only=True, repr=False)
class RegisterReport(Summary):
    """The result of registering one pair."""

    folder: Path
    """Folder of the output files."""
    result: PairResult
    """Its metrics; names of files are within the folder."""
    alignment: str
    """The initial alignment that was chosen."""
    reasons: tuple[str, ...]
    """Why the verdict is not "pass"."""
    notes: tuple[str, ...]
    """Warnings about the files and about how the transform was found."""
    regions: tuple[RegionError, ...]
    """The estimated error by part of the lungs, the worst first."""
    compute_s: float
    """Seconds from arrays in memory to the final displacement."""
    wall_s: float
    """Seconds from the start (of the process, where the caller gives it) to the last file."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        found = {name: getattr(self.result, name) for name in MAIN_METRICS}
        words = self.result.words
        more = {"why": self.result.reasons, "wall_s": self.wall_s}
        return {"folder": self.folder, "verdict": words, **found, **more}

    def parts(self) -> Sequence[Facts]:
        """The estimated error in each part of the lungs, the worst first."""
        shown = ("region", "mean_mm", "p95_mm", "found_pct")
        return [{name: getattr(region, name) for name in shown} for region in self.regions]


@dataclass(frozen=True, kw_only=True)
class RegisterSettings:
    """Settings of `register`, to keep for several calls; `register` takes them as keywords too.

        thorough = lungreg.RegisterSettings(preset="best", seed=1)
        lungreg.register(pair, "out", thorough)

    What is None is as the configuration says, or its default.

    Raises:
        ConfigError: A value that the setting does not have.
    """

    model: str | None = None
    """"NAME" or "NAME:VERSION" of the registry to start from; None starts from the alignment."""
    alignment: Alignment | None = None
    """Choice of the initial alignment; else `infer.alignment`, or `preprocessing.alignment`."""
    refine: bool | None = None
    """Optimise; without it, the network's displacement or the alignment alone. Else
    `refine.enabled`; True where that is null or a preset is asked for."""
    preset: RefinePreset | None = None
    """Preset of the refinement: fast, default or best; else `refine.preset`."""
    device: str | None = None
    """"auto", "cpu", "cuda", "cuda:N" or "mps"; else `infer.device`."""
    seed: int | None = None
    """Of the optimisation; else `seed`."""
    full_resolution_field: bool | None = None
    """Write displacement.nii.gz on the fixed scan's own grid; else `infer.full_resolution_field`.
    """
    time_points: bool | None = None
    """Whether the scans are several time points of one breathing state; else
    `quality.time_points`."""

    def __post_init__(self) -> None:
        _require_one_of("alignment", self.alignment, get_args(Alignment))
        _require_one_of("preset", self.preset, get_args(RefinePreset))
        if self.seed is not None and not 0 <= self.seed < SEEDS:
            msg = f"seed is a whole number from 0 to {SEEDS - 1}"
            raise ConfigError(msg, got=self.seed)

    def applied_to(self, config: Config) -> Config:
        """The configuration with these settings in their places."""
        enabled = self.preset is not None or config.refine.enabled in (None, True)
        wanted = {
            "refine": {"enabled": enabled, **given(enabled=self.refine, preset=self.preset)},
            "infer": given(
                alignment=self.alignment,
                device=self.device,
                full_resolution_field=self.full_resolution_field,
            ),
            "quality": given(time_points=self.time_points),
        }
        sections = {
            name: getattr(config, name).model_copy(update=values) for name, values in wanted.items()
        }
        return config.model_copy(update={**sections, **given(seed=self.seed)})


def given(**values: Any) -> dict[str, Any]:
    """The values that are not None, by name."""
    return {name: value for name, value in values.items() if value is not None}


def _require_one_of(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        msg = f"{name} is one of {', '.join(known)}"
        raise ConfigError(msg, got=repr(value))
