"""An account with cases, a model and batch jobs."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.backends.snowflake import open_snowflake
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.config import SnowflakeBackend
from lungreg.stores import Backend
from tests.backends.snowflake.batch.cohort import fill
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.models import Models

PAUSE_S = 0.2
"""Between two looks at a job."""


@pytest.fixture
def service(peer: Peer, settings: SnowflakeBackend) -> BatchService:
    """The account's batch jobs and models."""
    Models(peer)
    return BatchService(peer)


@pytest.fixture
def account(service: BatchService, settings: SnowflakeBackend) -> Backend:
    """The stores of the account, which look at a job often; cases and a model in them."""
    backend = dataclasses.replace(
        open_snowflake(settings),
        jobs=SnowflakeJobs(SessionSource(settings), pause_s=PAUSE_S),
        label=None,
    )
    fill(backend)
    return backend
