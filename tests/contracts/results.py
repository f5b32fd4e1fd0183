"""What every `lungreg.stores.ResultTable` must do."""

from __future__ import annotations

import dataclasses
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from lungreg.errors import StoreError
from lungreg.records import RESULT_COLUMNS, CaseMetrics, CaseResult, Split, Status, Verdict
from lungreg.stores import ResultTable
from tests.contracts.processes import start_python

BEGIN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def result(case_id: str, *, run_id: str = "run", minute: float = 0, **changes: Any) -> CaseResult:
    """A row that finished `minute` minutes after the first."""
    finished = BEGIN + timedelta(minutes=minute)
    row = CaseResult(run_id=run_id, case_id=case_id, started_at=BEGIN, finished_at=finished)
    return dataclasses.replace(row, **changes)


_METRICS = tuple(metric.name for metric in dataclasses.fields(CaseMetrics))


def _some_metrics() -> dict[str, Any]:
    return {name: 0.1 + index / 7 for index, name in enumerate(_METRICS)}


FULL = result(
    "case 'Ü' \"1\"",
    split=Split.TEST,
    status=Status.FAILED,
    verdict=Verdict.WARN,
    evidence="estimated",
    reasons="folds; a 'quoted' reason",
    error_code="data",
    error_message="a 'quoted' message; with, commas\nand a second line",
    **_some_metrics(),
    output_image="runs/run/a/registered_img.nii.gz",
    output_label="runs/run/a/registered_label.nii.gz",
    output_transform="runs/run/a/displacement.h5",
    model_name="lung_ct_registration",
    model_version="12",
    read_s=1.5,
    compute_s=2.25,
    write_s=1e-9,
    attempt=3,
    worker="worker-7",
)
"""Every column filled."""


class ResultTableContract:
    """Subclasses give an empty table."""

    shared_between_processes = True
    """Whether another process sees the same rows."""
    many = 40
    """Rows that are written one by one where there must be many of them."""

    @pytest.fixture
    def table(self) -> ResultTable:
        raise NotImplementedError

    def test_is_a_result_table(self, table: ResultTable) -> None:
        """The implementation has every method of the Protocol."""
        assert isinstance(table, ResultTable)

    def test_rows_come_back_as_they_were(self, table: ResultTable) -> None:
        """Every column, empty or full, survives with its type, to the microsecond."""
        sparse = result("sparse")
        table.write([FULL, sparse])
        rows = table.rows("run")
        assert rows == [FULL, sparse]
        assert isinstance(rows[0].split, Split)
        assert isinstance(rows[0].status, Status)
        assert isinstance(rows[0].verdict, Verdict)
        assert rows[0].finished_at.tzinfo is UTC

    def test_other_time_zones_are_the_same_instant(self, table: ResultTable) -> None:
        """A time given in another zone is kept as the same moment in UTC."""
        tokyo = BEGIN.astimezone(timezone(timedelta(hours=9)))
        table.write([result("a", started_at=tokyo)])
        assert table.rows("run")[0].started_at == BEGIN

    def test_infinite_and_undefined_numbers_are_kept(self, table: ResultTable) -> None:
        """NaN is not the absence of a value, and infinity not a large one."""
        table.write([result("a", jacobian_min=-math.inf, sdlogj=math.nan, ncc=None)])
        (row,) = table.rows("run")
        assert row.jacobian_min == -math.inf
        assert row.sdlogj is not None
        assert math.isnan(row.sdlogj)
        assert row.ncc is None

    def test_an_unknown_run_has_no_rows(self, table: ResultTable) -> None:
        """Nothing written, nothing read; tidying nothing is no error."""
        assert table.rows("run") == []
        table.write([])
        table.compact("run")
        assert table.rows("run") == []

    def test_an_empty_table_has_its_columns(self, table: ResultTable) -> None:
        """SQL on an empty table works, with the columns in their order."""
        assert tuple(table.query("SELECT * FROM results").column_names) == RESULT_COLUMNS
        assert table.query("SELECT count(*) AS n FROM results").to_pylist() == [{"n": 0}]

    def test_rows_are_ordered_by_case(self, table: ResultTable) -> None:
        """One row per case by case id, however they were written."""
        table.write([result("b"), result("c")])
        table.write([result("a")])
        assert [row.case_id for row in table.rows("run")] == ["a", "b", "c"]

    @pytest.mark.parametrize("latest_first", [True, False])
    def test_the_last_finished_counts(self, table: ResultTable, latest_first: bool) -> None:
        """Of several rows of a case the last finished is the row, whichever was written last."""
        first = result("a", minute=1, status=Status.FAILED)
        second = result("a", minute=2, attempt=2)
        for row in (second, first) if latest_first else (first, second):
            table.write([row])
        assert table.rows("run") == [second]
        assert table.query("SELECT attempt FROM results").to_pylist() == [{"attempt": 2}]

    @pytest.mark.parametrize("latest_first", [True, False])
    @pytest.mark.parametrize("together", [True, False])
    def test_the_last_attempt_counts_whatever_the_clocks_say(
        self, table: ResultTable, latest_first: bool, together: bool
    ) -> None:
        """The second machine's clock is behind: what it registered anew is the row all the same."""
        first = result("a", minute=180, status=Status.FAILED)
        second = result("a", minute=1, attempt=2)
        rows = [second, first] if latest_first else [first, second]
        for part in [rows] if together else [[row] for row in rows]:
            table.write(part)
        table.compact("run")
        assert table.rows("run") == [second]

    def test_writing_twice_changes_nothing(self, table: ResultTable) -> None:
        """The same row again, in one call or another, is one row."""
        table.write([FULL, FULL])
        table.write([FULL])
        assert table.rows("run") == [FULL]

    def test_runs_are_kept_apart(self, table: ResultTable) -> None:
        """One case in two runs is two rows, also for runs named alike and written together."""
        rows = [result("a", run_id="run"), result("a", run_id="run 1"), result("a", run_id="run1")]
        table.write([rows[1], rows[0], rows[2]])
        assert [table.rows(row.run_id) for row in rows] == [[row] for row in rows]
        counts = table.query("SELECT run_id, count(*) AS n FROM results GROUP BY ALL ORDER BY ALL")
        assert counts.to_pylist() == [{"run_id": row.run_id, "n": 1} for row in rows]

    def test_sql_computes(self, table: ResultTable) -> None:
        """Means by group, as a person would ask for them."""
        table.write([result("a", dice_score=0.9), result("b", dice_score=0.8), result("c")])
        answer = table.query("SELECT avg(dice_score) AS mean, max(finished_at) AS t FROM results")
        assert isinstance(answer, pa.Table)
        (row,) = answer.to_pylist()
        assert row["mean"] == pytest.approx(0.85)
        assert row["t"] == BEGIN

    @pytest.mark.parametrize(
        "sql",
        ["SELEC 1", "SELECT no_such_column FROM results", "SELECT * FROM other", "", "-- nothing"],
    )
    def test_failing_sql_is_a_store_error(self, table: ResultTable, sql: str) -> None:
        """SQL that fails is refused in the engine's words, and the table goes on working."""
        table.write([FULL])
        with pytest.raises(StoreError):
            table.query(sql)
        assert table.query("SELECT case_id FROM results").num_rows == 1

    def test_sql_changes_nothing(self, table: ResultTable) -> None:
        """Whatever a statement would change, the rows stay."""
        table.write([FULL])
        for sql in ("DELETE FROM results", "DROP VIEW results", "DROP TABLE results"):
            try:
                table.query(sql)
            except StoreError:
                continue
        assert table.rows("run") == [FULL]
        assert table.query("SELECT * FROM results").num_rows == 1

    def test_compact_changes_nothing(self, table: ResultTable) -> None:
        """Tidying keeps the rows of the run and of others."""
        for minute in range(4):
            table.write([result(f"case {minute % 3}", minute=minute)])
        table.write([result("a", run_id="other")])
        rows, everything = table.rows("run"), table.query("SELECT * FROM results")
        table.compact("run")
        table.compact("run")
        assert table.rows("run") == rows
        assert len(rows) == 3
        assert table.query("SELECT * FROM results").equals(everything)
        table.write([result("later")])
        assert len(table.rows("run")) == 4

    def test_many_threads_write(self, table: ResultTable) -> None:
        """Rows written at the same time are all there."""
        rows = [result(f"case {number:02d}") for number in range(self.many)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda row: table.write([row]), rows))
        assert table.rows("run") == rows

    def test_query_while_another_process_writes(self, table: ResultTable) -> None:
        """Reading and tidying never fail nor lose a row while a run is writing."""
        if not self.shared_between_processes:
            pytest.skip("the store lives in one process")
        rows = [result(f"case {number:02d}") for number in range(self.many)]
        code = (
            "import time\n"
            "table, rows = given\n"
            "for number, row in enumerate(rows):\n"
            "    table.write([row])\n"
            "    print(number, flush=True)\n"
            "    time.sleep(0.02)\n"
        )
        with start_python(code, (table, rows)) as process:
            assert process.stdout is not None
            for _ in range(self.many // 4):
                process.stdout.readline()
            counts = [len(table.rows("run"))]
            while process.poll() is None:
                (answer,) = table.query("SELECT count(*) AS n FROM results").to_pylist()
                counts.append(answer["n"])
                table.compact("run")
        assert process.returncode == 0
        assert counts[0] >= self.many // 4
        assert counts == sorted(counts)
        assert table.rows("run") == rows

    def test_pickle_round_trip(self, table: ResultTable) -> None:
        """A copy sent to another process reads the same rows."""
        table.write([FULL])
        assert pickle.loads(pickle.dumps(table)).rows("run") == [FULL]
