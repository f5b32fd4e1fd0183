"""Sections infer, refine, quality, report and cost, and the configuration as a whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lungreg.config.input import Data, Ingest, LocalBackend
from lungreg.config.model import Loss, Network, Preprocessing, Train
from lungreg.config.quality import Quality
from lungreg.config.section import Alignment, Device, Section, WorkerRange, Workers
from lungreg.config.snowflake import SnowflakeBackend


def _kind_of(backend: Any) -> str | None:
    """Kind of the backend section; None for a value that is no section at all."""
    if isinstance(backend, dict):
        return str(backend.get("kind", "local"))
    return getattr(backend, "kind", None)


BackendSettings = Annotated[
    Annotated[LocalBackend, Tag("local")] | Annotated[SnowflakeBackend, Tag("snowflake")],
    Discriminator(_kind_of),
]


Engine = Literal["ray", "run-batch"]


SEEDS = 2**31
"""Seeds are below."""


class Infer(Section):
    """How a cohort is registered."""

    engine: Engine = "ray"
    """Where the cases are registered: "ray" uses workers of the Ray cluster, "run-batch" a batch
    job of the backend (Snowflake)."""
    workers: Workers | WorkerRange = "auto"
    """Number of Ray workers. "auto" is `workers_per_gpu` for each GPU of the cluster, or one per
    CPU core where there is none, as far as the memory holds them, or a plain loop where Ray is not
    installed; 0 is a plain loop without Ray; {min, max} is a pool that grows with the work."""
    workers_per_gpu: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Largest number of workers that share a GPU: while one computes on it, others read, write and
    draw. "auto" is one for each CPU core that the cluster has per GPU, as far as their memory
    holds them."""
    model: str | None = None
    """Name of a trained model in the registry, which registers each pair or, with
    `refine.enabled`, starts its optimisation. Null takes none: each pair is aligned and
    optimised by itself."""
    version: str = Field(default="champion", coerce_numbers_to_str=True)
    """Version of the model: a number, an alias such as "champion", or "latest"."""
    cases: list[str] | None = None
    """Ids of the cases to register; null for all cases of the stage."""
    alignment: Alignment | None = None
    """Initial alignment `A` of the run, with the choices of `preprocessing.alignment`; null takes
    the choice that the model was trained with, or `preprocessing.alignment` without a model."""
    device: Device = "auto"
    """Device of registration: "auto" (CUDA where there is a GPU, else the CPU), "cpu", "cuda",
    "cuda:N" or "mps"."""
    threads: int | None = Field(default=None, ge=1)
    """Number of CPU threads per worker. Null divides the cores of the machine among workers on the
    CPU, and leaves PyTorch's own number to workers on a GPU."""
    mixed_precision: bool = True
    """Let the network compute in 16 bits or in TF32, which is faster, where that moves its
    displacement by no more than 0.05 of its voxels. Has an effect on CUDA only."""
    max_attempts: int = Field(default=3, ge=1)
    """Number of times that a case is tried when its worker dies, before it counts as failed. A
    case for which memory did not suffice is tried twice, unless the number is 1."""
    full_resolution_field: bool = False
    """Write the displacement field on the fixed scan's grid instead of the network's: larger
    files."""
    qc: bool = True
    """Write a page qc.html with pictures for each case."""


RefinePreset = Literal["fast", "default", "best"]


class Refine(Section):
    """Optimisation of each pair, from the displacement of a network or from `A` alone."""

    enabled: bool | None = None
    """Optimise each pair: more accurate and slower than a network alone. Null optimises where no
    model is used."""
    preset: RefinePreset = "default"
    """Finest grid of the optimisation: "fast" stops at 2 mm, "default" at the scans' own voxels but
    at 1.4 mm at the least, "best" at 1.1 mm at the least, with more steps."""

    def settled(self, *, with_model: bool) -> Refine:
        """The section with `enabled` true or false, for a run with a model or without one."""
        enabled = not with_model if self.enabled is None else self.enabled
        return self.model_copy(update={"enabled": enabled})


class Report(Section):
    """What the report page of a run shows."""

    panels: int = Field(default=20, ge=0)
    """Largest number of cases whose pictures are in the page itself: verdict fail first, then warn,
    then pass, the worst metrics first."""


class Cost(Section):
    """Rate for an estimate of the credits of a run; the provider's bill may differ."""

    credits_per_node_hour: float = Field(gt=0)
    """Credits that one node costs per hour."""
    nodes: int = Field(default=1, ge=1)
    """Number of nodes that a run uses. `lungreg cost` takes the recorded number where there is
    one."""
    as_of: date | None = None
    """Date of the rate, such as 2026-11-22, shown with each estimate."""
    source: str | None = None
    """Source of the rate, such as "Snowflake Service Consumption Table", shown with each
    estimate."""


class Config(Section):
    """The configuration of a run."""

    backend: BackendSettings = LocalBackend()
    """Where files, result rows and models are kept: kind "local" or "snowflake"."""
    seed: int = Field(default=0, ge=0, lt=SEEDS)
    """Seed of everything random: simulation, split, order of cases, augmentation, first weights."""
    ingest: Ingest = Ingest()
    """Settings of `lungreg ingest`: the source of the scans, checks and pseudonyms."""
    data: Data = Data()
    """Cases of a training run: their split and the size of their cache."""
    preprocessing: Preprocessing = Preprocessing()
    """Steps from the scans of a case to the input of the network; infer takes the model's own."""
    network: Network = Network()
    """Shape of the network that train builds; infer takes the model's own."""
    loss: Loss = Loss()
    """Weights of the terms of the training loss."""
    train: Train = Train()
    """Settings of `lungreg train`: workers, epochs, optimiser and the name of the model."""
    infer: Infer = Infer()
    """Settings of `lungreg infer`: the engine, the model and the cases."""
    refine: Refine = Refine()
    """Optimisation of each pair, by itself or after the network."""
    quality: Quality = Quality()
    """Thresholds of the verdict of a registered case."""
    report: Report = Report()
    """Settings of `lungreg report`: the page of a run."""
    cost: Cost | None = None
    """Rate for an estimate of the credits of a run; null for no estimate."""

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
