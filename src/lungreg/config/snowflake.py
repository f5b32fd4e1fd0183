"""The Snowflake backend: which account, and what its objects are called."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lungreg.config.section import Section
from lungreg.config.snowflake_names import (
    Host,
    Identifier,
    QualifiedName,
    refuse_credentials,
    refuse_equal,
)

PackageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
"""Of a Python distribution."""
RuntimeImage = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./:@-]*$")]
"""A tag, or repository/image:tag. The client of ML Jobs writes it into a statement unquoted."""
_RUNTIME_ONLY = ("torch", "ray")
_MADE_BY_US = {"the table of claims": "CLAIMS", "the view": "RESULTS"}
"""In the results schema, under names that no key changes."""


class ComputePool(Section):
    """Nodes with GPUs that jobs run on."""

    name: Identifier = "LUNGREG_GPU"
    """Of the compute pool."""
    family: Identifier = "GPU_NV_S"
    """Instance family: GPU_NV_S has one A10G, GPU_NV_M four."""
    min_nodes: int = Field(default=1, ge=1)
    """Nodes that start with the first job."""
    max_nodes: int = Field(default=1, ge=1)
    """Most nodes at once."""
    auto_suspend_secs: int = Field(default=300, ge=60)
    """Idle seconds after which the nodes go back; until then they cost."""
    notebook_nodes: int | None = Field(default=None, ge=1)
    """Nodes that train and infer bring the cluster of a notebook to; null leaves it as it is.
    The nodes of a job are those of `lungreg submit --nodes`."""

    @model_validator(mode="after")
    def _fewest_come_first(self) -> ComputePool:
        if self.min_nodes > self.max_nodes:
            msg = f"min_nodes is at most max_nodes, got {self.min_nodes} > {self.max_nodes}"
            raise ValueError(msg)
        return self


class Egress(Section):
    """What jobs may reach outside Snowflake, through an integration that `setup` makes."""

    hosts: tuple[Host, ...] = ()
    """HOST:443 each; none by default, and then nothing is made."""
    name: Identifier = "LUNGREG_EGRESS"
    """Of the network rule, in the utils schema, and of the integration."""


class Roles(Section):
    """Who may do what: each role has the privileges of its step and no more."""

    setup: Identifier = "LUNGREG_SETUP"
    """Makes and owns everything; an administrator makes it and gives it to a person."""
    ingest: Identifier = "LUNGREG_INGEST"
    """Writes scans."""
    train: Identifier = "LUNGREG_TRAIN"
    """Reads scans, writes runs and models, starts jobs."""
    infer: Identifier = "LUNGREG_INFER"
    """Reads scans and models, writes runs and results, starts jobs."""
    read: Identifier = "LUNGREG_READ"
    """Reads results and reports."""


class Batch(Section):
    """Batch inference by Snowflake itself, with `infer --engine run-batch`."""

    replicas: int | None = Field(default=None, ge=1)
    """Nodes that share the cases; null takes `compute_pool.max_nodes`."""
    gpus: int = Field(default=1, ge=0)
    """GPUs of each; 0 computes on its processor cores."""
    cpus: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?$")
    """Processor cores of each; null takes all of the node."""
    memory: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?(GiB|MiB)$")
    """Memory of each, such as 16GiB; null takes all of the node."""
    workers: int = Field(default=1, ge=1)
    """Processes on each, each with the model loaded."""
    rows_at_once: int = Field(default=1, ge=1)
    """Cases whose files and results one process holds in memory at once."""
    image_repository: QualifiedName | None = None
    """Where the image is kept that Snowflake builds for a model; null takes its own. Its owner lets
    the infer role read it, as `setup` prints."""


class SnowflakeBackend(Section):
    """Files in stages, rows in a table, versions in the Model Registry, jobs in a compute pool.

    Credentials are never part of it: they come from the session that is active, the token of the
    container, or a connection of Snowflake's own `connections.toml`.
    """

    kind: Literal["snowflake"]
    """Which backend."""
    connection: str | None = None
    """A connection of `connections.toml`; null takes the active session, the container's token,
    or the default connection, in this order."""
    role: Identifier | None = None
    """Role of the sessions that are opened here: that of the step, see `roles`; null takes the
    connection's own. An active session and a container's token keep theirs."""
    timeout_s: int = Field(default=600, ge=1)
    """Seconds after which a statement, or an account that does not answer, is given up."""
    database: Identifier = "LUNGREG"
    """Holds everything."""
    utils_schema: Identifier = "UTILS"
    """Schema of scans, jobs and models."""
    results_schema: Identifier = "RESULTS"
    """Schema of runs and rows."""
    image_stage: Identifier = "IMAGES"
    """Stage of scans, masks and landmarks, in the utils schema."""
    run_stage: Identifier = "RUNS"
    """Stage of everything under runs/, in the results schema."""
    job_stage: Identifier = "JOBS"
    """Stage of what jobs are sent, in the utils schema."""
    result_table: Identifier = "REGISTRATION_RESULTS"
    """Table of rows, in the results schema; a view RESULTS holds the latest success of each
    case."""
    warehouse: Identifier = "LUNGREG_WH"
    """Runs the SQL."""
    compute_pool: ComputePool = ComputePool()
    """Runs the jobs."""
    roles: Roles = Roles()
    """Names of the roles that `setup` makes."""
    integrations: tuple[Identifier, ...] = ()
    """External access integrations of jobs that exist already, which their owner lets the roles
    use, as `setup` prints; with neither these nor `egress.hosts` all wheels travel with the job."""
    egress: Egress = Egress()
    """What jobs may reach through an integration of our own."""
    job_upgrades: tuple[PackageName, ...] = ()
    """Packages of the runtime that a job may replace where lungreg needs others; torch and ray
    never."""
    runtime: RuntimeImage | None = None
    """Container Runtime of jobs, a tag or an image; null takes the account's default."""
    model_pip_requirements: tuple[str, ...] = ()
    """Requirements of logged models in place of those of this installation."""
    model_cuda_version: str = Field(default="12.4", pattern=r"^\d+\.\d+$")
    """CUDA of the image that batch inference builds for a model."""
    batch: Batch = Batch()
    """How batch inference is spread."""
    tracking: bool = True
    """Keep training curves with Snowflake's experiment tracking."""

    @property
    def folder(self) -> None:
        """Folder of this machine that files are kept in: none."""

    @property
    def utils(self) -> str:
        """Full name of the schema of scans, jobs and models; likewise those below."""
        return f"{self.database}.{self.utils_schema}"

    @property
    def results(self) -> str:
        """Schema of runs and rows."""
        return f"{self.database}.{self.results_schema}"

    @property
    def images(self) -> str:
        """Stage of scans, masks and landmarks."""
        return f"{self.utils}.{self.image_stage}"

    @property
    def jobs(self) -> str:
        """Stage of what jobs are sent."""
        return f"{self.utils}.{self.job_stage}"

    @property
    def runs(self) -> str:
        """Stage of everything under runs/."""
        return f"{self.results}.{self.run_stage}"

    @model_validator(mode="before")
    @classmethod
    def _holds_no_credentials(cls, given: Any) -> Any:
        refuse_credentials(given)
        return given

    @field_validator("job_upgrades")
    @classmethod
    def _keeps_the_engine(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if found := [name for name in given if name.lower() in _RUNTIME_ONLY]:
            msg = f"the runtime's own torch and ray are never replaced, got {found[0]!r}"
            raise ValueError(msg)
        return given

    @model_validator(mode="after")
    def _names_differ(self) -> SnowflakeBackend:
        """What shares a place has names of its own: else roles would get more than their step's."""
        refuse_equal({"utils_schema": self.utils_schema, "results_schema": self.results_schema})
        refuse_equal({"image_stage": self.image_stage, "job_stage": self.job_stage})
        refuse_equal({**_MADE_BY_US, "result_table": self.result_table})
        refuse_equal({f"roles.{key}": name for key, name in self.roles.model_dump().items()})
        return self
