"""The contract on a real account: `LUNGREG_SNOWFLAKE_CONNECTION` names a connection to one.

It needs the privilege to create databases; each test makes its own and drops it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.stage import SnowflakeStage
from lungreg.stores import Stage
from tests.contracts.stage import StageContract


@pytest.mark.snowflake
class TestAccountStage(StageContract):
    """Two internal stages of an account keep the contract."""

    on_this_disk = False
    rounds = 6

    @pytest.fixture
    def stage(self, account: SessionSource) -> Stage:
        return SnowflakeStage(account)

    def raw_names(self, stage: Stage, tmp_path: Path) -> set[str]:
        return {info.name for info in stage.list()}
