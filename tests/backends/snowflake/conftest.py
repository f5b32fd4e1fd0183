"""One peer for all tests of Snowflake; a database of its own for each."""

from __future__ import annotations

import itertools
import mimetypes
import os
import secrets
from collections.abc import Callable, Iterator

import pytest
import snowflake.connector
import tomlkit

from lungreg.backends.snowflake.connection import session as session_module
from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import Batch, SnowflakeBackend
from tests.backends.snowflake.peer import Peer, running_peer
from tests.backends.snowflake.peer.server import connection_of

CONNECTION = "peer"
CONNECTIONS = "SNOWFLAKE_CONNECTIONS"
"""Environment variable in which Snowflake's connector finds connections, as TOML."""
ACCOUNT = "LUNGREG_SNOWFLAKE_CONNECTION"
Run = Callable[[str], object]
"""Runs a statement."""
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running() -> Iterator[Peer]:
    """The peer, under the name "peer" among Snowflake's connections, here and in children."""
    with running_peer() as peer, pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONNECTIONS, tomlkit.dumps({CONNECTION: connection_of(peer)}))
        # Else the client looks through the environment for proxies at every statement.
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, ",".join(filter(None, [os.environ.get(name), "127.0.0.1"])))
        patch.setattr(mimetypes, "knownfiles", [])  # which it reads anew for every file it sends
        yield peer


@pytest.fixture(scope="session")
def administrator(running: Peer) -> Iterator[Run]:
    """Makes the databases, so that a test's own session starts in one that exists."""
    with snowflake.connector.connect(**connection_of(running)) as connection:
        yield connection.cursor().execute


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer is well again at once: nobody need wait for it as for an account."""
    monkeypatch.setattr(session_module, "PAUSES_S", (0.02, 0.1, 0.4))


@pytest.fixture
def peer(running: Peer) -> Iterator[Peer]:
    """The peer without statements, canned answers or faults of other tests."""
    running.forget()
    yield running
    running.forget()
    close_all()


@pytest.fixture
def settings(peer: Peer, administrator: Run) -> SnowflakeBackend:
    """A database with its schemas and stages, as `lungreg setup` makes them."""
    settings = SnowflakeBackend(
        kind="snowflake",
        connection=CONNECTION,
        database=f"LUNGREG_{os.getpid()}_{next(_numbers)}",
        timeout_s=2,
        batch=Batch(gpus=0),  # this machine has none
    )
    make_database(settings, administrator)
    peer.forget()
    return settings


@pytest.fixture
def source(settings: SnowflakeBackend) -> SessionSource:
    """Sessions on the database."""
    return SessionSource(settings)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionSource]:
    """A new database in a real account, dropped afterwards; only for tests marked `snowflake`."""
    monkeypatch.delenv(CONNECTIONS, raising=False)
    with snowflake.connector.connect(connection_name=os.environ[ACCOUNT]) as connection:
        warehouse = connection.cursor().execute("SELECT CURRENT_WAREHOUSE()").fetchone()[0]
    if warehouse is None:
        pytest.fail("the connection to the account names a warehouse, which runs the tests")
    settings = SnowflakeBackend(
        kind="snowflake",
        connection=os.environ[ACCOUNT],
        database=f"LUNGREG_TEST_{secrets.token_hex(4)}".upper(),
        warehouse=warehouse,
    )
    source = SessionSource(settings)
    make_database(settings, source.run)
    source.discard()  # the next session starts in the database
    try:
        yield SessionSource(settings)
    finally:
        source.run(f"DROP DATABASE IF EXISTS {settings.database}")
        close_all()


def make_database(settings: SnowflakeBackend, run: Run) -> None:
    """Database, schemas and stages; tables come into being on first use."""
    utils = f"{settings.database}.{settings.utils_schema}"
    results = f"{settings.database}.{settings.results_schema}"
    for name in (f"DATABASE {settings.database}", f"SCHEMA {utils}", f"SCHEMA {results}"):
        run(f"CREATE {name}")
    for stage in (
        f"{utils}.{settings.image_stage}",
        f"{utils}.{settings.job_stage}",
        f"{results}.{settings.run_stage}",
    ):
        run(f"CREATE STAGE {stage} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
