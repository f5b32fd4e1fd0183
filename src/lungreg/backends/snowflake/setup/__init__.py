"""Make the account's objects, by statements that can be run again, and drop only these."""

from __future__ import annotations

from lungreg.backends.snowflake.setup.provisioner import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.script import setup_script, setup_statements

__all__ = ["SnowflakeProvisioner", "setup_script", "setup_statements"]
