"""Run lungreg's commands as ML Jobs on a compute pool."""

from __future__ import annotations

from lungreg.backends.snowflake.jobs.runner import SnowflakeJobs

__all__ = ["SnowflakeJobs"]
