"""Sessions: where they come from, who shares them, what happens when they end."""

from __future__ import annotations

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lungreg.backends.snowflake.connection import login
from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreError, StoreUnavailableError
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.server import connection_of
from tests.contracts.processes import start_python


def session_of(source: SessionSource) -> object:
    """The session that this thread works with."""
    with source.use() as session:
        return session


def test_a_statement_runs_with_its_binds(source: SessionSource, peer: Peer) -> None:
    """Values travel beside the text, never in it."""
    (row,) = source.run("SELECT ? AS A, ? AS B", ["x'y", 3])
    assert (row["A"], row["B"]) == ("x'y", 3)
    (said,) = peer.said("SELECT . AS A")
    assert "x'y" not in said.text
    assert [str(value) for value in said.binds] == ["x'y", "3"]


def test_every_statement_tells_its_run(source: SessionSource, peer: Peer) -> None:
    """The query history names application, run and step, and nothing else."""
    source.run("SELECT 1")
    run_id = "infer-20261122-101500-3fa9c1"
    replace(source, run_id=run_id, step="infer").run("SELECT 2")
    replace(source, run_id="/scans/MUSTERMANN", step="evaluate").run(
        "SELECT 3"
    )  # typed in place of a run
    tags = [json.loads(said.tag) for said in peer.said("^SELECT")]
    assert tags == [
        {"app": "lungreg"},
        {"app": "lungreg", "run": run_id, "step": "infer"},
        {"app": "lungreg", "step": "evaluate"},
    ]


def test_a_thread_has_one_session_of_its_own(source: SessionSource, peer: Peer) -> None:
    """A session serves its thread alone, and the next thread when that one has ended."""
    assert session_of(source) is session_of(source)
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(session_of, source) for _ in range(2)]
            assert session_of(source) not in [session.result() for session in both]
    assert 2 <= len(peer.logins) <= 3


def test_a_copy_in_another_process_opens_its_own(source: SessionSource, peer: Peer) -> None:
    """Sources travel as settings: a worker logs in by itself."""
    source.run("SELECT 1")
    code = "print(given.run('SELECT 7 AS A')[0]['A'])"
    with start_python(code, pickle.loads(pickle.dumps(source))) as process:
        assert process.stdout.read().split()[-1] == b"7"
    assert len(peer.logins) == 2
    assert not peer.said("cancel_all_queries")  # it would wait long for an account that is gone


def test_an_expired_token_is_renewed_or_logged_in_again(source: SessionSource, peer: Peer) -> None:
    """A run outlives its tokens, whether the account renews them or asks for a login."""
    source.run("SELECT 1")
    peer.expire_tokens(renewable=True)
    source.run("SELECT 2")
    assert len(peer.logins) == 1
    peer.expire_tokens()
    source.run("SELECT 3")
    assert len(peer.logins) == 2


def test_a_lost_connection_is_opened_again(source: SessionSource, peer: Peer) -> None:
    """A statement whose connection breaks for longer than the client waits is done once more."""
    source = SessionSource(source.settings.model_copy(update={"timeout_s": 1}))
    source.run("SELECT 1")
    peer.mischief.drop("SELECT 42", times=3)
    assert source.run("SELECT 42 AS A")[0]["A"] == 42
    assert peer.mischief.happened >= 2


def test_a_lost_answer_is_not_worked_for_twice(source: SessionSource, peer: Peer) -> None:
    """The client asks again under the same id: the account does the work once."""
    source.run("CREATE TABLE T (A NUMBER)")
    peer.mischief.drop("INSERT", after=True)
    source.run("INSERT INTO T VALUES (1)")
    assert source.run("SELECT COUNT(*) AS N FROM T")[0]["N"] == 1
    assert peer.mischief.happened == 1


def test_a_missing_privilege_is_named(source: SessionSource, peer: Peer) -> None:
    """What the role may not do is told at once, with how to mend it, and not tried again."""
    peer.mischief.deny("^SELECT 1")
    with pytest.raises(StoreUnavailableError, match="lets this user and role") as caught:
        source.run("SELECT 1")
    assert "003001" in caught.value.anonymous
    assert len(peer.said("^SELECT 1")) == 1


def test_sql_that_fails_keeps_its_text_out_of_logs(source: SessionSource) -> None:
    """What Snowflake says may quote a value: the person sees it, the log does not."""
    with pytest.raises(StoreError) as caught:
        source.run("SELECT nobody_knows_this FROM nothing")
    assert "nothing" not in caught.value.anonymous.replace("nothing of", "")


def test_an_unknown_connection_is_named() -> None:
    """A connection that is not configured is a clear error, and no secret is asked for."""
    settings = SnowflakeBackend(kind="snowflake", connection="nobody", timeout_s=2)
    with pytest.raises(StoreUnavailableError, match=r"nobody in .*connections\.toml") as told:
        SessionSource(settings).run("SELECT 1")
    assert f"set backend.connection to one that is known ({CONNECTION})" in told.value.anonymous


def test_packages_that_are_missing_are_named(
    settings: SnowflakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only one of them is, before anything is asked of the account."""
    monkeypatch.setitem(sys.modules, "snowflake.ml", None)
    with pytest.raises(StoreUnavailableError, match=r"got no snowflake-ml-python; .*\[snowflake\]"):
        SessionSource(settings).run("SELECT 1")


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


def test_the_token_of_the_container_is_read_each_time(
    settings: SnowflakeBackend, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a job without session the short-lived token file logs in, and its newest content."""
    options = connection_of(peer)
    monkeypatch.setattr(login, "TOKEN_FILE", tmp_path / "token")
    monkeypatch.setattr(login, "CONTAINER_OPTIONS", {"protocol": "http", "port": options["port"]})
    monkeypatch.setenv("SNOWFLAKE_HOST", "127.0.0.1")
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "lungreg")
    source = SessionSource(settings.model_copy(update={"connection": None}))
    for token in ("first", "second"):
        (tmp_path / "token").write_text(token)
        source.run("SELECT 1")
        source.discard()
    assert [data["TOKEN"] for data in peer.logins] == ["first", "second"]
    assert all(data["AUTHENTICATOR"].upper() == "OAUTH" for data in peer.logins)


def test_the_default_connection_is_the_last_resort(
    settings: SnowflakeBackend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither a name, a session nor a token, Snowflake's own default decides."""
    monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", CONNECTION)
    SessionSource(settings.model_copy(update={"connection": None})).run("SELECT 1")
    assert len(peer.logins) == 1
