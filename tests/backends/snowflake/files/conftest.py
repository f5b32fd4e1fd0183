"""An empty stage, and a look at what really lies on it."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.files.stage_names import unspelled
from tests.backends.snowflake.peer import Peer


def names_on(peer: Peer, source: SessionSource) -> set[str]:
    """Names of all files that really lie on the two stages."""
    root = peer.stages.root / source.settings.database
    files = [file.relative_to(root).parts for file in root.rglob("*") if file.is_file()]
    return {unspelled("/".join(parts[2:])) or "/".join(parts) for parts in files}


@pytest.fixture
def stage(source: SessionSource) -> SnowflakeStage:
    """An empty stage."""
    return SnowflakeStage(source)
