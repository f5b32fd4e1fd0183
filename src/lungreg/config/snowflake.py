"""The Snowflake backend: which account, and what its objects are called."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lungreg.config.section import Section

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,254}$")]
"""An unquoted Snowflake name: it stands in DDL, where nothing can be bound."""
_SECRETS = ("password", "passcode", "token", "private_key", "private_key_file_pwd", "secret")


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


class Roles(Section):
    """Who may do what: each role has the privileges of its step and no more."""

    ingest: Identifier = "LUNGREG_INGEST"
    """Writes scans."""
    train: Identifier = "LUNGREG_TRAIN"
    """Reads scans, writes runs and models, starts jobs."""
    infer: Identifier = "LUNGREG_INFER"
    """Reads scans and models, writes runs and results, starts jobs."""
    read: Identifier = "LUNGREG_READ"
    """Reads results and reports."""


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
    """Table of rows, in the results schema; a view RESULTS holds the latest row of each case."""
    warehouse: Identifier = "LUNGREG_WH"
    """Runs the SQL."""
    compute_pool: ComputePool = ComputePool()
    """Runs the jobs."""
    roles: Roles = Roles()
    """Names of the roles that `setup` makes."""
    integrations: tuple[Identifier, ...] = ()
    """External access integrations of jobs; none by default: all wheels travel with the job."""
    runtime: str | None = None
    """Container Runtime of jobs, a tag or an image; null takes the account's default."""
    model_pip_requirements: tuple[str, ...] = ()
    """Requirements of logged models in place of those of this installation."""
    tracking: bool = True
    """Keep training curves with Snowflake's experiment tracking."""

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, given: Any) -> Any:
        found = [key for key in _SECRETS if isinstance(given, dict) and key in given]
        if found:
            msg = (
                f"a config holds no secret, got the key {found[0]!r}; put it into Snowflake's "
                "connections.toml and name that connection here"
            )
            raise ValueError(msg)
        return given
