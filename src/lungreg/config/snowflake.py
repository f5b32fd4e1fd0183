"""Section backend (Snowflake): the connection, and the names of the objects in the account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lungreg.config.section import Section
from lungreg.config.snowflake_names import (
    FullName,
    Host,
    Identifier,
    QualifiedName,
    refuse_credentials,
    refuse_equal,
)

PackageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
"""Name of a Python package."""
RuntimeImage = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./:@-]*$")]
"""A tag or repository/image:tag; the client of ML Jobs puts it into a statement without quotes."""
_RUNTIME_ONLY = ("torch", "ray")
_MADE_BY_US = {
    "the table of claims": "CLAIMS",
    "the view": "RESULTS",
    "the table of ratings": "RATINGS",
}
"""Objects in the results schema whose names no key changes."""


class ComputePool(Section):
    """The compute pool of GPU nodes that jobs run on; `lungreg setup` creates it."""

    name: Identifier = "LUNGREG_GPU"
    """Name of the compute pool."""
    family: Identifier = "auto"
    """Instance family of the nodes, such as GPU_NV_M for four A10G GPUs on AWS; "auto" takes one
    GPU of 24 GB: GPU_NV_S on AWS, GPU_NV_SM on Azure, GPU_GCP_NV_L4_1_24G on Google Cloud, as
    the region of the account says."""
    min_nodes: int = Field(default=1, ge=1)
    """Number of nodes that start with the first job, at most `max_nodes`."""
    max_nodes: int = Field(default=1, ge=1)
    """Largest number of nodes at one time."""
    auto_suspend_secs: int = Field(default=300, ge=60)
    """Idle time in seconds after which the nodes are released; until then they cost credits."""
    monthly_credits: int | None = Field(default=None, ge=1)
    """Credits of a month after which Snowflake warns of the pool's costs, by a budget that
    `lungreg setup --governance` makes; null makes none. A budget stops nothing."""
    notebook_nodes: int | None = Field(default=None, ge=1)
    """Number of nodes that train and infer scale the cluster of a notebook to; null leaves its size
    unchanged. The size of a job is set by `lungreg submit --nodes`."""

    @model_validator(mode="after")
    def _fewest_come_first(self) -> ComputePool:
        if self.min_nodes > self.max_nodes:
            msg = f"min_nodes is at most max_nodes, got {self.min_nodes} > {self.max_nodes}"
            raise ValueError(msg)
        return self


class Egress(Section):
    """Hosts outside Snowflake that jobs may reach, through an integration that `setup` creates."""

    hosts: tuple[Host, ...] = ()
    """Hosts that jobs may reach, as HOST:443 each. An empty list, the default, creates no
    integration."""
    name: Identifier = "LUNGREG_EGRESS"
    """Name of the network rule, in `utils_schema`, and of the external access integration."""


class Roles(Section):
    """Names of the roles, one per step and one of the page; each has what its step needs."""

    setup: Identifier = "LUNGREG_SETUP"
    """Role that creates and owns all objects. An administrator creates it and grants it to a
    person."""
    ingest: Identifier = "LUNGREG_INGEST"
    """Role that writes scans."""
    train: Identifier = "LUNGREG_TRAIN"
    """Role that reads scans, writes runs and models, and starts jobs."""
    infer: Identifier = "LUNGREG_INFER"
    """Role that reads scans and models, writes runs and results, and starts jobs."""
    read: Identifier = "LUNGREG_READ"
    """Role that reads results and reports."""
    app: Identifier = "LUNGREG_APP"
    """Role that owns the page of `lungreg setup --app`, which runs with its rights: it reads
    results and reports and keeps ratings, and nobody needs to be given it."""


class Batch(Section):
    """Resources of Snowflake's batch inference, used by `lungreg infer --engine run-batch`."""

    replicas: int | None = Field(default=None, ge=1)
    """Number of replicas that share the cases, one per node; null takes
    `compute_pool.max_nodes`."""
    gpus: int = Field(default=1, ge=0)
    """Number of GPUs per replica; 0 computes on the CPU. A job that asks for GPUs and finds no
    CUDA fails at once."""
    cpus: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?$")
    """Number of CPU cores per replica, such as "4"; null takes all cores of the node."""
    memory: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?(GiB|MiB)$")
    """Memory per replica, such as 16GiB or 512MiB; null takes all memory of the node."""
    workers: int = Field(default=1, ge=1)
    """Number of processes per replica; each loads the model."""
    rows_at_once: int = Field(default=1, ge=1)
    """Number of cases whose files and results one process keeps in memory at one time."""
    image_repository: QualifiedName | None = None
    """Image repository for the container image that Snowflake builds for a model, as
    [DATABASE.][SCHEMA.]NAME; null takes Snowflake's own. The owner of the repository lets the
    infer role, and the service that builds its image, read and write it: `lungreg setup` prints the
    statements."""


class SnowflakeBackend(Section):
    """A backend in a Snowflake account: stages, a table, the Model Registry and a compute pool.

    Credentials are never part of the configuration: they come from the active session, the token
    of the container, or a connection in Snowflake's own `connections.toml`.
    """

    kind: Literal["snowflake"]
    """Kind of backend: "snowflake" keeps everything in one Snowflake account."""
    connection: str | None = None
    """Name of a connection in Snowflake's `connections.toml`; null takes the active session, else
    the container's token, else the default connection."""
    role: Identifier | None = None
    """Role of new sessions, usually one of `roles`; null takes the connection's own. An active
    session and a container's token keep their role."""
    secondary_roles: bool = False
    """Keep the user's secondary roles in new sessions, so that a step may also do what the user's
    other roles may; else it has the privileges of its role alone."""
    timeout_s: int = Field(default=600, ge=1)
    """Time in seconds after which a statement, or a login without an answer, is given up."""
    database: Identifier = "LUNGREG"
    """Database that contains both schemas."""
    utils_schema: Identifier = "UTILS"
    """Schema of the scans, the jobs and the models; differs from `results_schema`."""
    results_schema: Identifier = "RESULTS"
    """Schema of the runs and the result rows; differs from `utils_schema`."""
    image_stage: Identifier = "IMAGES"
    """Snowflake stage for scans, masks and landmarks, in `utils_schema`."""
    run_stage: Identifier = "RUNS"
    """Snowflake stage for all files under runs/, in `results_schema`."""
    job_stage: Identifier = "JOBS"
    """Snowflake stage for the files that jobs are started with, in `utils_schema`."""
    incoming_stage: Identifier = "INCOMING"
    """Snowflake stage that others put new scans on, in `utils_schema`, for `ingest.source:
    incoming`; made by `lungreg setup --schedules`."""
    package_stage: Identifier = "PACKAGES"
    """Snowflake stage for what notebooks install, in `utils_schema`; made by
    `lungreg setup --notebooks`."""
    workspace: Identifier = "NOTEBOOKS"
    """Workspace of the notebooks, in `utils_schema`; made by `lungreg setup --notebooks`."""
    app: Identifier = "LUNGREG_RESULTS"
    """Streamlit app with a page of the results, in `results_schema`; made by
    `lungreg setup --app`."""
    result_table: Identifier = "REGISTRATION_RESULTS"
    """Table of the result rows, in `results_schema`. A view RESULTS beside it shows the latest
    success of each case."""
    warehouse: Identifier = "LUNGREG_WH"
    """Warehouse that runs the SQL statements."""
    compute_pool: ComputePool = ComputePool()
    """Compute pool that runs the jobs."""
    roles: Roles = Roles()
    """Names of the roles that `lungreg setup` creates, one per step."""
    case_id_roles: tuple[Identifier, ...] = ()
    """Roles that see case ids in tables, beside `roles.setup`, `roles.infer`, `roles.read` and
    `roles.app`, where `lungreg setup --governance` has masked them; others see a hash of each."""
    integrations: tuple[Identifier, ...] = ()
    """Existing external access integrations that jobs use; their owner grants the roles USAGE, with
    the statements that `lungreg setup` prints. Without integrations and `egress.hosts`, all Python
    packages are sent with the job."""
    egress: Egress = Egress()
    """Hosts that jobs may reach through an integration that `lungreg setup` creates."""
    artifact_repositories: tuple[FullName, ...] = ()
    """Artifact repositories that jobs install Python packages from, without a way out and without
    wheels that travel: snowflake.snowpark.pypi_shared_repository is PyPI, where the account has it.
    With integrations too, packages come from the repositories alone. The image of a model takes the
    first."""
    job_upgrades: tuple[PackageName, ...] = ()
    """Packages of the Container Runtime that a job may replace where lungreg needs other versions;
    torch and ray are never replaced."""
    runtime: RuntimeImage | None = None
    """Container Runtime of jobs, a tag or repository/image:tag; null takes the account's
    default."""
    model_pip_requirements: tuple[str, ...] = ()
    """Python requirements that models are logged with. An empty list, the default, takes the
    requirements of the installed lungreg."""
    model_cuda_version: str = Field(default="12.6", pattern=r"^\d+\.\d+$")
    """CUDA version of the container image that batch inference builds for a model. PyTorch's index
    of that version must have the installed PyTorch: that of 12.6 has 2.8 to 2.13."""
    batch: Batch = Batch()
    """Resources of Snowflake's batch inference."""
    tracking: bool = True
    """Record training curves with Snowflake's experiment tracking."""

    @property
    def folder(self) -> None:
        """Local folder that files are kept in: None, they are in stages."""

    @property
    def utils(self) -> str:
        """Full name of the schema of the scans, the jobs and the models."""
        return f"{self.database}.{self.utils_schema}"

    @property
    def results(self) -> str:
        """Full name of the schema of the runs and the result rows."""
        return f"{self.database}.{self.results_schema}"

    @property
    def images(self) -> str:
        """Full name of the stage for scans, masks and landmarks."""
        return f"{self.utils}.{self.image_stage}"

    @property
    def jobs(self) -> str:
        """Full name of the stage for the files that jobs are started with."""
        return f"{self.utils}.{self.job_stage}"

    @property
    def incoming(self) -> str:
        """Full name of the stage that others put new scans on."""
        return f"{self.utils}.{self.incoming_stage}"

    @property
    def packages(self) -> str:
        """Full name of the stage for what notebooks install."""
        return f"{self.utils}.{self.package_stage}"

    @property
    def notebooks(self) -> str:
        """Full name of the workspace of the notebooks."""
        return f"{self.utils}.{self.workspace}"

    @property
    def runs(self) -> str:
        """Full name of the stage for all files under runs/."""
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
        """Objects in one place have different names; one role for two steps has both privileges."""
        refuse_equal({"utils_schema": self.utils_schema, "results_schema": self.results_schema})
        in_utils = ("image_stage", "job_stage", "package_stage", "incoming_stage")
        refuse_equal({key: getattr(self, key) for key in in_utils})
        refuse_equal({**_MADE_BY_US, "result_table": self.result_table})
        refuse_equal({f"roles.{key}": name for key, name in self.roles.model_dump().items()})
        return self
