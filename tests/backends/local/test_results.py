"""The result table in Parquet parts, under the contract, and what its SQL may not reach."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lungreg.backends.local.results import ParquetResultTable
from lungreg.backends.local.stage import LocalStage
from lungreg.errors import StoreError, StoreUnavailableError
from lungreg.records import RESULT_COLUMNS
from lungreg.stores import FileInfo, ResultTable
from lungreg.stores.names import RunNames
from lungreg.stores.result_rows import result_schema, to_row
from lungreg.testing import FaultyStage, MemoryStage
from tests.contracts.results import FULL, ResultTableContract, result


class TestLocalResults(ResultTableContract):
    """Parts in a folder keep the contract."""

    @pytest.fixture
    def table(self, tmp_path: Path) -> ResultTable:
        return ParquetResultTable(LocalStage(tmp_path))


class TestMemoryResults(ResultTableContract):
    """Parts in memory keep the contract."""

    shared_between_processes = False

    @pytest.fixture
    def table(self) -> ResultTable:
        return ParquetResultTable(MemoryStage())


@pytest.fixture
def table(tmp_path: Path) -> ParquetResultTable:
    """A table of one row in a folder."""
    table = ParquetResultTable(LocalStage(tmp_path / "stage"))
    table.write([FULL])
    return table


@dataclass(frozen=True)
class ListedStage(LocalStage):
    """A folder stage that notes which folders it lists with all that is below."""

    listed: list[str] = field(default_factory=list, kw_only=True)

    def list(self, folder: str = "") -> list[FileInfo]:
        self.listed.append(folder)
        return super().list(folder)


def test_rows_are_found_without_the_files_of_all_cases(tmp_path: Path) -> None:
    """Of each case there are several: a hundred thousand cases took longer to list than to read."""
    stage = ListedStage(tmp_path)
    table = ParquetResultTable(stage)
    for run in ("run-a", "run-b"):
        table.write([dataclasses.replace(FULL, run_id=run)])
        stage.write(RunNames(run).case("case").page, b"<html>")
    assert table.query("SELECT run_id FROM results ORDER BY 1")["run_id"].to_pylist() == [
        "run-a",
        "run-b",
    ]
    assert {*stage.listed} == {RunNames("run-a").results, RunNames("run-b").results}


def test_schema_follows_the_records() -> None:
    """The columns are those of the record in the published order, with times in UTC."""
    schema = result_schema()
    assert tuple(schema.names) == RESULT_COLUMNS
    assert str(schema.field("dice_score").type) == "double"
    assert str(schema.field("split").type) == "string"
    assert str(schema.field("attempt").type) == "int64"
    assert str(schema.field("finished_at").type) == "timestamp[us, tz=UTC]"


def test_parts_of_an_earlier_version_lack_columns(table: ParquetResultTable) -> None:
    """Rows written before the estimated errors stand beside new ones, with nothing there."""
    later = ["evidence", "tre_p95_mm", *(n for n in RESULT_COLUMNS if n.startswith("etre_"))]
    old = pa.Table.from_pylist([to_row(result("old", tre_mm=1.5))], schema=result_schema())
    sink = pa.BufferOutputStream()
    pq.write_table(old.drop_columns(later), sink)
    table.stage.write("runs/run/results/part-old.parquet", sink.getvalue().to_pybytes())
    rows = {row.case_id: row for row in table.rows("run")}
    assert rows["old"] == result("old", tre_mm=1.5)
    assert rows[FULL.case_id] == FULL
    counted = table.query("SELECT count(etre_mm) AS n, count(*) AS rows FROM results").to_pylist()
    assert counted == [{"n": 1, "rows": 2}]


def test_parts_lie_beside_the_run(table: ParquetResultTable) -> None:
    """Rows of a run are files of the run, so that copying its folder copies them."""
    (info,) = table.stage.list()
    assert info.name.startswith("runs/run/results/part-")


def test_the_folder_copied_elsewhere_keeps_its_rows(
    table: ParquetResultTable, tmp_path: Path
) -> None:
    """No path is inside the files."""
    shutil.copytree(tmp_path / "stage", tmp_path / "copy")
    shutil.rmtree(tmp_path / "stage")
    copy = ParquetResultTable(LocalStage(tmp_path / "copy"))
    assert copy.rows("run") == [FULL]
    assert copy.query("SELECT * FROM results").num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY results TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/out.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SELECT * FROM FULL",
        "SELECT * FROM table",
        "SELECT getenv('HOME')",
    ],
)
def test_sql_reaches_nothing_else(table: ParquetResultTable, tmp_path: Path, sql: str) -> None:
    """No file, folder, extension, setting or Python variable can be had by SQL."""
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n1\n")
    with pytest.raises(StoreError):
        table.query(sql.format(file=secret, folder=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"secret.csv", "stage"}


def test_etc_passwd_cannot_be_read(table: ParquetResultTable) -> None:
    """The refusal is the engine's own, about the file system."""
    with pytest.raises(StoreError, match="file system operations are disabled"):
        table.query("SELECT * FROM read_csv('/etc/passwd')")


def test_the_engines_message_is_for_the_console(table: ParquetResultTable) -> None:
    """The engine may quote values of the table: people see them, logs do not."""
    with pytest.raises(StoreError, match="Could not convert") as caught:
        table.query("SELECT CAST(case_id AS INTEGER) FROM results")
    assert FULL.case_id in str(caught.value)
    assert FULL.case_id not in caught.value.anonymous


def test_times_are_in_utc_wherever_one_is(
    table: ParquetResultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's time zone does not change what SQL says."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (row,) = table.query("SELECT hour(finished_at) AS hour FROM results").to_pylist()
    assert row["hour"] == FULL.finished_at.hour


def test_a_full_disk_loses_no_row(tmp_path: Path) -> None:
    """A write or tidying that finds the disk full keeps what was there, and can be repeated."""
    stage = FaultyStage(LocalStage(tmp_path), full_on={2, 4})
    table = ParquetResultTable(stage)
    table.write([result("a")])
    with pytest.raises(StoreUnavailableError):
        table.write([result("b")])
    assert table.rows("run") == [result("a")]
    table.write([result("b")])
    with pytest.raises(StoreUnavailableError):
        table.compact("run")
    assert table.rows("run") == [result("a"), result("b")]
    table.compact("run")
    assert table.rows("run") == [result("a"), result("b")]
    assert len(stage.list()) == 1


def test_rows_of_a_later_version_are_refused_in_words(tmp_path: Path) -> None:
    """A verdict that this version does not know is an error, not a guess."""
    table = ParquetResultTable(LocalStage(tmp_path))
    table.write([result("a", verdict="excellent")])
    with pytest.raises(StoreError, match="values that this version knows"):
        table.rows("run")
