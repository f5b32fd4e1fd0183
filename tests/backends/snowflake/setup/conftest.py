"""An account in which nothing is made yet."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.setup.account import Account, of_database


@pytest.fixture
def account(peer: Peer) -> Account:
    return Account(peer)


@pytest.fixture
def provisioner(peer: Peer, request: pytest.FixtureRequest) -> SnowflakeProvisioner:
    """For a database that does not exist yet."""
    return of_database(f"SETUP_{abs(hash(request.node.nodeid)) % 10**9}")
