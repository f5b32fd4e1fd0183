"""Sessions: where they come from, who shares them, what happens when they end."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

from lungreg.backends.snowflake.connection.session import SessionSource
from tests.backends.snowflake.peer import Peer
from tests.contracts.processes import start_python


def test_a_statement_runs_with_its_binds(source: SessionSource, peer: Peer) -> None:
    """Values travel beside the text, never in it."""
    (row,) = source.run("SELECT ? AS A, ? AS B", ["x'y", 3])
    assert (row["A"], row["B"]) == ("x'y", 3)
    (said,) = peer.said("SELECT . AS A")
    assert "x'y" not in said.text
    assert [str(value) for value in said.binds] == ["x'y", "3"]


def test_every_statement_is_tagged_with_its_run(source: SessionSource, peer: Peer) -> None:
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
