"""Registration of a cohort, its verdicts and its report; and the run as a whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lungreg.config.input import Data, Ingest, LocalBackend
from lungreg.config.model import Loss, Network, Preprocessing, Train
from lungreg.config.section import DEVICE, MODEL_NAME, Alignment, Section, Workers
from lungreg.config.snowflake import SnowflakeBackend


def _kind_of(backend: Any) -> str | None:
    """Which section stands there; None for what is no section at all."""
    if isinstance(backend, dict):
        return str(backend.get("kind", "local"))
    return getattr(backend, "kind", None)


BackendSettings = Annotated[
    Annotated[LocalBackend, Tag("local")] | Annotated[SnowflakeBackend, Tag("snowflake")],
    Discriminator(_kind_of),
]


class WorkerRange(Section):
    """A pool that grows with the work."""

    min: int = Field(default=1, ge=1)
    """Workers that are kept."""
    max: int = Field(default=4, ge=1)
    """Most workers at once."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            msg = f"workers.max is at least workers.min, got {self.max} < {self.min}"
            raise ValueError(msg)
        return self


Engine = Literal["ray", "run-batch"]


class Infer(Section):
    """Registration of a cohort."""

    engine: Engine = "ray"
    """ray: workers of this cluster. run-batch: a batch job of the backend, where it has them."""
    workers: Workers | WorkerRange = "auto"
    """0: a plain loop, without Ray. auto: one per GPU of the cluster, or one per core up to
    four. {min, max}: a pool that grows."""
    model: str = MODEL_NAME
    """Name of the model in the registry."""
    version: str = Field(default="champion", coerce_numbers_to_str=True)
    """A number, an alias, or "latest"."""
    cases: list[str] | None = None
    """Case ids; null for all."""
    alignment: Alignment | None = None
    """Another choice of `A` than the model was trained with."""
    device: str = Field(default="auto", pattern=DEVICE)
    """auto (CUDA where there is one), cpu, cuda, cuda:N or mps."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads per worker; null shares the cores."""
    max_attempts: int = Field(default=3, ge=1)
    """How often a case whose worker died is tried."""
    full_resolution_field: bool = False
    """Write the displacement on the fixed scan's own grid instead of the network's."""
    qc: bool = True
    """Write qc.html for each case."""


RefinePreset = Literal["fast", "default", "best"]


class Refine(Section):
    """Test-time optimisation of each pair, from the network's displacement on."""

    enabled: bool = False
    """Optimise each pair after the network."""
    preset: RefinePreset = "default"
    """fast: to 4 mm. default: to 2 mm. best: to 1.5 mm, with more steps."""


class Quality(Section):
    """Thresholds of the verdict of a registered case."""

    dice_warn: float = Field(default=0.93, ge=0, le=1)
    """Overlap of the lung masks below which a case warns."""
    dice_fail: float = Field(default=0.88, ge=0, le=1)
    """Overlap below which it fails."""
    tre_warn_mm: float = Field(default=4.0, ge=0)
    """Mean landmark error above which a case warns."""
    tre_fail_mm: float = Field(default=8.0, ge=0)
    """Mean landmark error above which it fails."""
    fold_warn_pct: float = Field(default=0.1, ge=0)
    """Share of folded voxels in the lungs above which a case warns."""
    fold_fail_pct: float = Field(default=1.0, ge=0)
    """Share above which it fails."""
    outside_fov_warn_pct: float = Field(default=30.0, ge=0)
    """Share of the fixed scan that the moving one does not show."""
    ncc_fail: float = Field(default=0.3, ge=-1, le=1)
    """Correlation inside the lungs below which a case fails."""
    residual_warn: float = Field(default=0.6, ge=0, le=2)
    """Without masks and landmarks: residual image difference inside the lungs above which a case
    warns. On simulated breathing of two CTs, smooth errors of 2, 4 and 8 mm left about 0.35 to
    0.5, 0.5 to 0.65 and 0.7 to 0.85, with and without noise of 80 HU."""
    residual_fail: float = Field(default=0.75, ge=0, le=2)
    """Residual image difference above which it fails."""
    inverse_warn_mm: float = Field(default=0.5, ge=0)
    """Likewise: mean inverse consistency inside the lungs above which a case warns."""
    inverse_fail_mm: float = Field(default=2.0, ge=0)
    """Mean inverse consistency above which it fails."""
    volume_ratio_low: float = Field(default=0.8, ge=0)
    """Likewise: lungs that the transform carries to less than this share of them warn."""
    volume_ratio_high: float = Field(default=4.0, ge=0)
    """Lungs that it carries to more than this warn: a deep breath triples a volume at most."""
    dice_segmented_warn: float = Field(default=0.88, ge=0, le=1)
    """Likewise: overlap of lungs segmented by threshold below which a case warns."""


class Report(Section):
    """The cohort page."""

    panels: int = Field(default=20, ge=0)
    """Most cases whose pictures are in the page itself: failed, warned and worst first."""


class Cost(Section):
    """Rates for an estimate of credits; the bill is the provider's."""

    credits_per_node_hour: float = Field(gt=0)
    """What one node costs in an hour."""
    nodes: int = Field(default=1, ge=1)
    """How many nodes a run holds."""
    as_of: date | None = None
    """Date of the rate, such as 2026-11-22."""
    source: str | None = None
    """Where the rate is from, such as "Snowflake Service Consumption Table"."""


class Config(Section):
    """One run."""

    backend: BackendSettings = LocalBackend()
    """Where files, rows and models are kept."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Of everything random: simulation, split, order, augmentation, first weights."""
    ingest: Ingest = Ingest()
    """Where scans come from and what is taken of them."""
    data: Data = Data()
    """Which cases are trained on."""
    preprocessing: Preprocessing = Preprocessing()
    """From files to network input."""
    network: Network = Network()
    """The network's shape."""
    loss: Loss = Loss()
    """What training minimises."""
    train: Train = Train()
    """How it is trained."""
    infer: Infer = Infer()
    """How a cohort is registered."""
    refine: Refine = Refine()
    """Optimisation of each pair after the network."""
    quality: Quality = Quality()
    """Thresholds of the verdicts."""
    report: Report = Report()
    """What the cohort page shows."""
    cost: Cost | None = None
    """Rates for an estimate of credits; null for none."""

    @model_validator(mode="after")
    def _key_stays_off_the_stage(self) -> Self:
        key_file, backend = self.ingest.key_file, self.backend
        if key_file is None or not isinstance(backend, LocalBackend) or "://" in backend.root:
            return self
        if Path(key_file).resolve().is_relative_to(Path(backend.root).resolve()):
            msg = "ingest.key_file lies outside backend.root: it never goes where the cases go"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _size_fits_network(self) -> Self:
        step = 2 ** max(self.network.extract_levels)
        size = self.preprocessing.spatial_size
        legal = tuple(max(step, round(n / step) * step) for n in size)
        if legal != tuple(size):
            msg = (
                f"every side of preprocessing.spatial_size divides by {step} "
                f"(2 to the deepest of network.extract_levels), got {tuple(size)}; "
                f"the nearest legal size is {legal}"
            )
            raise ValueError(msg)
        if max(size) == step:
            msg = (
                f"some side of preprocessing.spatial_size is at least {2 * step}, so that more "
                f"than one voxel is left at the deepest level, got {tuple(size)}"
            )
            raise ValueError(msg)
        return self
