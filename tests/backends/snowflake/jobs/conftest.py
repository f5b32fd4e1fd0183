"""ML Jobs of the peer."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer


@pytest.fixture
def jobs(settings: SnowflakeBackend) -> SnowflakeJobs:
    """Jobs that install from an index, so that no wheels are fetched here."""
    changes = {
        "integrations": ("PYPI_EAI",),
        "compute_pool": settings.compute_pool.model_copy(update={"max_nodes": 2}),
    }
    return SnowflakeJobs(SessionSource(settings.model_copy(update=changes)), pause_s=0.01)


@pytest.fixture
def service(peer: Peer, settings: SnowflakeBackend) -> JobService:
    return JobService(peer)
