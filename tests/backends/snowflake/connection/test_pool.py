"""Sessions: one for each thread, or one of a notebook that all share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lungreg.backends.snowflake.connection import pool as pool_module
from lungreg.backends.snowflake.connection.pool import SessionPool, close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.server import connection_of


def session_of(source: SessionSource) -> object:
    """The session that this thread works with."""
    with source.use() as session:
        return session


def test_a_thread_has_one_session_of_its_own(source: SessionSource, peer: Peer) -> None:
    """A session serves its thread alone, and the next thread when that one has ended."""
    assert session_of(source) is session_of(source)
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(session_of, source) for _ in range(2)]
            assert session_of(source) not in [session.result() for session in both]
    assert 2 <= len(peer.logins) <= 3


def test_the_active_session_is_taken_as_it_is(settings: SnowflakeBackend, peer: Peer) -> None:
    """In a notebook its session is used, by one thread at a time, and stays open."""
    from snowflake.snowpark import Session

    close_all()
    session = Session.builder.configs(connection_of(peer)).create()
    try:
        source = SessionSource(settings.model_copy(update={"connection": None}))
        with ThreadPoolExecutor(4) as pool:
            used = [*pool.map(session_of, [source] * 8)]
        assert all(found is session for found in used)
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda number: source.run("SELECT ? AS A", [number]), range(40))
        assert [rows[0]["A"] for rows in answers] == [*range(40)]
        source.discard()
        assert session.sql("SELECT 1").collect()
        assert len(peer.logins) == 1
    finally:
        session.close()


class NotebookSession:
    """Of a notebook in a workspace, with or without a warehouse; no schema is chosen there."""

    def __init__(self, warehouse: str | None) -> None:
        self.warehouse = warehouse
        self.used: list[str] = []

    def get_current_warehouse(self) -> str | None:
        return self.warehouse

    def get_current_schema(self) -> None:
        return None

    def use_warehouse(self, name: str) -> None:
        self.used.append(name)
        raise PermissionError(name)

    def use_schema(self, name: str) -> None:
        self.used.append(name)


@pytest.mark.parametrize(
    ("warehouse", "used"), [(None, ["LUNGREG_WH", "LUNGREG.UTILS"]), ("MINE", ["LUNGREG.UTILS"])]
)
def test_a_notebooks_session_gets_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, warehouse: str | None, used: list[str]
) -> None:
    """Once, and nothing in place of what its user chose; what the role may not use is left."""
    session = NotebookSession(warehouse)
    monkeypatch.setattr(pool_module, "active_session", lambda: session)
    sessions = SessionPool(SnowflakeBackend(kind="snowflake"))
    for _ in range(2):
        with sessions.session() as found:
            assert found is session
    assert session.used == used


def test_an_active_session_that_is_gone_is_left(
    settings: SnowflakeBackend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook's session that ran out is asked no second time: the next place has another."""
    from snowflake.snowpark import Session

    close_all()
    monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", CONNECTION)
    session = Session.builder.configs(connection_of(peer)).create()
    try:
        source = SessionSource(settings.model_copy(update={"connection": None}))
        assert source.run("SELECT 1 AS A")[0]["A"] == 1
        peer.expire_tokens()
        assert source.run("SELECT 2 AS A")[0]["A"] == 2
        assert len(peer.logins) == 2
    finally:
        session.connection.close(retry=False)  # nothing can be asked of it any longer
        session.close()
