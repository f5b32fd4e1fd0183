"""Models in Snowflake's Model Registry, and the code that Snowflake runs with them."""

from __future__ import annotations

from lungreg.backends.snowflake.models.registry import SnowflakeModelRegistry

__all__ = ["SnowflakeModelRegistry"]
