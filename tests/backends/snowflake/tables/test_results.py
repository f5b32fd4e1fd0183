"""The result table on the peer, under the contract, and what only a shared table must do."""

from __future__ import annotations

import itertools

import pytest

from lungreg.backends.local.results import ParquetResultTable
from lungreg.backends.snowflake.connection import session as session_module
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.result_sql import (
    result_table,
    result_view,
)
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.config import SnowflakeBackend, parse_config
from lungreg.errors import ConfigError, StoreError, StoreUnavailableError
from lungreg.records import RESULT_COLUMNS, Status
from lungreg.stores import ResultTable
from lungreg.testing import MemoryStage
from tests.backends.snowflake.conftest import CONNECTION, Run, make_database
from tests.backends.snowflake.peer import Peer
from tests.contracts.results import FULL, ResultTableContract, result

SEED_QUERY = """
    SELECT case_id, model_version, dice_score, ssim_score FROM results ORDER BY dice_score DESC
"""
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def database(administrator: Run) -> SnowflakeBackend:
    """One database for all tests that need but a table of their own."""
    settings = SnowflakeBackend(
        kind="snowflake", connection=CONNECTION, database="CONTRACT", timeout_s=2
    )
    make_database(settings, administrator)
    return settings


class TestSnowflakeResults(ResultTableContract):
    """A table on the peer keeps the contract."""

    many = 5

    @pytest.fixture
    def table(self, peer: Peer, database: SnowflakeBackend) -> ResultTable:
        own = database.model_copy(update={"result_table": f"ROWS_{next(_numbers)}"})
        return SnowflakeResultTable(SessionSource(own))


@pytest.mark.snowflake
class TestAccountResults(ResultTableContract):
    """A table in a real account keeps the contract."""

    many = 8

    @pytest.fixture
    def table(self, account: SessionSource) -> ResultTable:
        return SnowflakeResultTable(account)


@pytest.fixture
def table(source: SessionSource) -> SnowflakeResultTable:
    """A table of one row."""
    table = SnowflakeResultTable(source)
    table.write([FULL])
    return table


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more attempt, at once."""
    monkeypatch.setattr(session_module, "PAUSES_S", (0.0,))


def test_queries_answer_as_they_do_on_files(table: SnowflakeResultTable) -> None:
    """The same rows give the same table, names and types included."""
    rows = [FULL, result("a", dice_score=0.9, ssim_score=0.5), result("b", dice_score=0.8)]
    local = ParquetResultTable(MemoryStage())
    for each in (table, local):
        each.write(rows)
    for sql in (SEED_QUERY, "DESCRIBE results", "SELECT * FROM results ORDER BY case_id"):
        assert table.query(sql).equals(local.query(sql))


def test_sql_in_the_account_counts(table: SnowflakeResultTable, source: SessionSource) -> None:
    """Columns of numbers are no text: a worksheet can take means."""
    (row,) = source.run(
        f"SELECT AVG(dice_score) AS mean, MAX(attempt) AS most FROM {result_table(source.settings)}"
    )
    assert row["MEAN"] == pytest.approx(FULL.dice_score)
    assert row["MOST"] == FULL.attempt


def test_the_view_shows_the_latest_success_of_each_case(
    table: SnowflakeResultTable, source: SessionSource
) -> None:
    """For people with a worksheet: a later failure or an earlier run does not hide it."""
    table.write(
        [
            result("a", run_id="r1", minute=1, dice_score=0.7),
            result("a", run_id="r2", minute=2, dice_score=0.9),
            result("a", run_id="r3", minute=3, status=Status.FAILED),
            result("b", run_id="r1", minute=1, dice_score=0.95),
            result("c", run_id="r1", minute=1, status=Status.FAILED),
        ]
    )
    view = result_view(source.settings)
    rows = source.run(
        f"SELECT case_id, run_id, dice_score, ssim_score FROM {view} ORDER BY dice_score DESC"
    )
    assert [tuple(row)[:3] for row in rows] == [("b", "r1", 0.95), ("a", "r2", 0.9)]
    (columns,) = source.run(f"SELECT * FROM {view} WHERE case_id = ?", ["b"])
    assert tuple(columns.as_dict()) == tuple(name.upper() for name in RESULT_COLUMNS)


def test_values_travel_beside_the_text(table: SnowflakeResultTable, peer: Peer) -> None:
    """Case ids, run ids and messages stand in no statement, those of a person's query neither."""
    table.rows("run")
    table.query("SELECT * FROM results WHERE case_id = 'MUSTERMANN'")
    text = " ".join(statement.text for statement in peer.statements)
    for value in (FULL.case_id, "MUSTERMANN", FULL.error_message, FULL.worker, FULL.output_image):
        assert value not in text
    assert all(FULL.case_id in merge.binds for merge in peer.said("^MERGE"))
    assert peer.said("^MERGE")


@pytest.mark.parametrize("after", [False, True], ids=["before-it-ran", "after-it-ran"])
def test_a_connection_lost_in_mid_merge_loses_and_doubles_nothing(
    table: SnowflakeResultTable, source: SessionSource, peer: Peer, after: bool
) -> None:
    """Whether the statement was carried out or not, which the client cannot know."""
    rows = [result("a"), result("b")]
    peer.mischief.drop("^MERGE", after=after)
    table.write(rows)
    assert peer.mischief.happened == 1
    assert table.rows("run") == [rows[0], rows[1], FULL]
    (counted,) = source.run(f"SELECT COUNT(*) AS n FROM {result_table(source.settings)}")
    assert counted["N"] == 3


@pytest.mark.usefixtures("impatient")
def test_rows_can_be_written_again_after_a_connection_that_stayed_away(
    table: SnowflakeResultTable, peer: Peer
) -> None:
    """What a part of the rows had brought already is not doubled."""
    hurried = table.source.settings.model_copy(update={"timeout_s": 1})
    table = SnowflakeResultTable(SessionSource(hurried), rows_per_statement=2)
    rows = [result(f"a{number}") for number in range(5)]
    table.write(rows[:2])
    peer.mischief.drop("^MERGE", times=100)
    with pytest.raises(StoreUnavailableError, match="the account must answer"):
        table.write(rows)
    peer.forget()
    assert table.rows("run") == [*rows[:2], FULL]
    table.write(rows)
    assert table.rows("run") == [*rows, FULL]
    assert [len(s.binds) // len(RESULT_COLUMNS) for s in peer.said("^MERGE")] == [2, 2, 1]


def test_a_token_that_expires_between_two_writes_is_replaced(
    table: SnowflakeResultTable, peer: Peer
) -> None:
    """A night's run outlives its session."""
    peer.expire_tokens()
    table.write([result("a")])
    peer.expire_tokens()
    assert table.rows("run") == [result("a"), FULL]


def test_without_the_privilege_the_rule_is_named(table: SnowflakeResultTable, peer: Peer) -> None:
    """At once, in words, and without the values."""
    peer.mischief.deny("^MERGE")
    with pytest.raises(StoreUnavailableError, match="user and role") as caught:
        table.write([result("MUSTERMANN")])
    assert "MUSTERMANN" not in str(caught.value)
    assert len(table.rows("run")) == 1


def test_rows_that_a_race_has_doubled_are_one(
    table: SnowflakeResultTable, source: SessionSource
) -> None:
    """Two first writes of one case may both insert; the last finished counts all the same."""
    name = result_table(source.settings)
    source.run(f"INSERT INTO {name} SELECT * FROM {name}")
    later = result("a", minute=2)
    table.write([later])
    source.run(f"INSERT INTO {name} SELECT * FROM {name} WHERE case_id = ?", ["a"])
    table.write([result("a", minute=1)])
    assert table.rows("run") == [later, FULL]
    assert table.query("SELECT count(*) AS n FROM results").to_pylist() == [{"n": 2}]
    (counted,) = source.run(f"SELECT COUNT(*) AS n FROM {result_view(source.settings)}")
    assert counted["N"] == 1


def test_a_query_reads_no_other_table(table: SnowflakeResultTable, source: SessionSource) -> None:
    """Not even one that the role may read."""
    settings = source.settings
    source.run(f"CREATE TABLE {settings.database}.{settings.results_schema}.SECRET (a NUMBER)")
    for name in ("secret", f"{settings.database}.{settings.results_schema}.SECRET"):
        with pytest.raises(StoreError):
            table.query(f"SELECT * FROM {name}")


@pytest.mark.parametrize("name", ["RESULTS", "results"])
def test_the_table_leaves_the_view_its_name(name: str) -> None:
    """Else neither could be made."""
    with pytest.raises(ConfigError, match="the view and result_table have different names"):
        parse_config({"backend": {"kind": "snowflake", "result_table": name}})
