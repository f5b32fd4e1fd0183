"""Versions of models in Snowflake's Model Registry, and the model as Snowflake runs it."""

from __future__ import annotations

from lungreg.backends.snowflake.models.registry import SnowflakeModelRegistry

__all__ = ["SnowflakeModelRegistry"]
