"""The question for the billed figure: right on a table of that shape, and safe to send."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime

import pytest

from lungreg.backends.snowflake import open_snowflake
from lungreg.backends.snowflake.billing import PoolBilling
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.config import Config, Cost, SnowflakeBackend
from lungreg.stores import Billing, Held
from lungreg.stores.usage import timed
from lungreg.testing import MemoryStage
from lungreg.workflows.cost import run_cost, run_cost_lines
from tests.contracts.results import result

BEGIN = datetime(2026, 11, 22, 9, 40, tzinfo=UTC)
END = datetime(2026, 11, 22, 11, 10, tzinfo=UTC)


def test_the_hours_that_a_run_touched_are_counted(
    source: SessionSource, settings: SnowflakeBackend
) -> None:
    """Of its own pool, begun and ended hours included; run by the peer on such a table."""
    history = f"{settings.database}.RESULTS.HISTORY"
    source.run(
        f"CREATE TABLE {history} (start_time TIMESTAMP_LTZ, end_time TIMESTAMP_LTZ, "
        "compute_pool_name VARCHAR, credits_used FLOAT)"
    )
    for hour in (8, 9, 10, 11, 12):
        for pool in ("LUNGREG_GPU", "OTHER"):
            times = [f"2026-11-22 {h:02d}:00:00+00:00" for h in (hour, hour + 1)]
            source.run(
                f"INSERT INTO {history} SELECT column1::TIMESTAMP_LTZ, column2::TIMESTAMP_LTZ, "
                "column3, column4::FLOAT FROM VALUES (?, ?, ?, ?)",
                [*times, pool, str(hour)],
            )
    asked = PoolBilling(settings).query(BEGIN, END)
    sql = asked.sql.replace(
        "SNOWFLAKE.ACCOUNT_USAGE.SNOWPARK_CONTAINER_SERVICES_HISTORY", history
    ).rstrip(";")
    assert history in sql
    rows = source.run(sql)
    assert [row["CREDITS"] for row in rows] == [9.0, 10.0, 11.0]


def test_the_question_is_whole_and_its_note_is_honest() -> None:
    """It runs in a worksheet as it is printed; what else is in the figure is said."""
    settings = SnowflakeBackend.model_validate(
        {"kind": "snowflake", "compute_pool": {"name": "my_pool", "auto_suspend_secs": 120}}
    )
    billing = PoolBilling(settings)
    asked = billing.query(BEGIN, END)
    assert isinstance(billing, Billing)
    assert "?" not in asked.sql
    assert "compute_pool_name = 'MY_POOL'" in asked.sql
    assert "compute_pool_name = 'ANOTHER'" in billing.query(BEGIN, END, "another").sql
    for words in ("3 hours late", "all that ran on it", "120 s of idling"):
        assert words in asked.note


def test_times_carry_their_zone() -> None:
    """The account's own time zone changes nothing."""
    asked = PoolBilling(SnowflakeBackend(kind="snowflake")).query(BEGIN, END)
    assert asked.sql.count("+00:00'::TIMESTAMP_TZ") == 2


def test_a_job_counts_the_nodes_that_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were asked for, on the pool that it runs on; a laptop holds none of them."""
    settings = SnowflakeBackend.model_validate(
        {"kind": "snowflake", "compute_pool": {"name": "BIG", "max_nodes": 4}}
    )
    billing = PoolBilling(settings)
    assert billing.held() is None
    assert billing.held(in_batch=True) == Held(nodes=4, pool="BIG")
    monkeypatch.setenv("SNOWFLAKE_JOB_INDEX", "0")
    monkeypatch.setenv("SNOWFLAKE_JOBS_COUNT", "3")
    assert billing.held() == Held(nodes=3, pool="BIG")


def test_an_estimate_counts_the_nodes_of_the_run(settings: SnowflakeBackend) -> None:
    """The nodes and the pool of the run count, not those that the rate assumes."""
    rate = Cost(credits_per_node_hour=1.0, nodes=9)
    backend = dataclasses.replace(open_snowflake(settings), stage=MemoryStage(), label=None)
    with timed(backend.stage, "train-1", Held(nodes=2, pool="BIG")):
        time.sleep(0.05)
    found = run_cost(Config(backend=settings, cost=rate), "train-1", backend=backend)
    assert (found.nodes, found.cases) == (2, 0)
    assert found.credits == pytest.approx(found.seconds * 2 / 3600)
    assert found.bill is not None
    assert "compute_pool_name = 'BIG'" in found.bill.sql


def test_the_cost_of_a_run_ends_with_the_question(settings: SnowflakeBackend) -> None:
    """Estimate, query and binds, in this order; a run whose time was lost is counted by rows."""
    rate = Cost(credits_per_node_hour=0.57, as_of=BEGIN.date(), source="my contract")
    backend = open_snowflake(settings)
    assert isinstance(backend.results, SnowflakeResultTable)
    backend.results.write([result("MUSTERMANN", run_id="infer-1", minute=30)])
    config = Config(backend=settings, cost=rate)
    lines = run_cost_lines(run_cost(config, "infer-1", backend=backend), rate)
    assert lines[1].startswith("estimate: about 0.2850 credits on 1 node at 0.57 credits")
    assert "rate of 2026-11-22, my contract" in lines[1]
    assert lines[3].startswith("SELECT compute_pool_name")
    assert "compute_pool_name = 'LUNGREG_GPU'" in lines[3]
    assert "MUSTERMANN" not in "".join(lines)
