"""lungreg results: rows, queries and exports."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lungreg.records import RESULT_COLUMNS
from tests.cli.answering import answer_questions
from tests.site import CASES, Site, assert_refused


def test_results_have_lower_case_keys_and_every_column(finished: tuple[Site, str]) -> None:
    """Also where the query asks for others; the order is that of the table."""
    site, run_id = finished
    rows = site.run("results", "--json").document
    assert [row["case_id"] for row in rows] == list(CASES)
    assert {tuple(row) for row in rows} == {RESULT_COLUMNS}
    assert {row["run_id"] for row in rows} == {run_id}
    sql = "SELECT COUNT(*) AS N, SUM(attempt) AS Total, 'nan'::DOUBLE AS X FROM RESULTS"
    assert site.run("results", "--json", "--sql", sql).document == [{"n": 6, "total": 6, "x": None}]


def test_results_are_exported(finished: tuple[Site, str], tmp_path: Path) -> None:
    """As Parquet with types, or as CSV; other suffixes are refused."""
    site, _ = finished
    sql = "SELECT case_id, dice_score, started_at FROM results ORDER BY case_id"
    for name in ("rows.parquet", "rows.csv"):
        done = site.run("results", "--sql", sql, "--export", str(tmp_path / name))
        assert (done.code, "6 rows written" in done.out) == (0, True)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table["case_id"].to_pylist() == list(CASES)
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dice_score"]) for row in rows] == table["dice_score"].to_pylist()
    done = site.run("results", "--export", str(tmp_path / "rows.xlsx"))
    assert (done.code, ".parquet or .csv" in done.err) == (1, True)
    done = site.run("results", "--export", str(tmp_path / "nowhere" / "rows.csv"))
    assert (done.code, "the export can be written" in done.err) == (1, True)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_file_that_is_there_is_replaced_only_when_asked_for(
    finished: tuple[Site, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Before the query, which may take long and here would fail."""
    site, _ = finished
    out = tmp_path / name
    out.write_text("mine")
    wrong = ("results", "--sql", "SELECT nothing FROM results", "--export", str(out))
    assert_refused(site.run(*wrong), "replaced only when asked for", "another file with --export")
    asked = answer_questions(monkeypatch, answer=False)
    assert_refused(site.run(*wrong), "replaced only when asked for")
    assert asked == [f"Replace {out}?"]
    assert_refused(site.run(*wrong, "--overwrite"), "SQL must be a DuckDB query")
    assert out.read_text() == "mine"
    assert site.run("results", "--export", str(out), "--overwrite").code == 0
    assert out.read_bytes() != b"mine"


def test_what_cannot_be_exported_to_is_refused_before_anybody_is_asked(
    finished: tuple[Site, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another suffix, and a folder."""
    site, _ = finished
    asked = answer_questions(monkeypatch, answer=True)
    (tmp_path / "rows.xlsx").touch()
    (tmp_path / "rows.csv").mkdir()
    for name, says in (("rows.xlsx", ".parquet or .csv"), ("rows.csv", "an output is a file")):
        assert_refused(site.run("results", "--export", str(tmp_path / name)), says)
    assert asked == []


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "SQL must be a DuckDB query"),
        ("SELECT * FROM read_csv('/etc/passwd')", "SQL must be a DuckDB query"),
        ("SELECT nothing FROM results", "SQL must be a DuckDB query"),
        ("COPY results TO '/tmp/stolen.csv'", "SQL must be a DuckDB query"),
    ],
)
def test_sql_reaches_the_results_alone(finished: tuple[Site, str], sql: str, says: str) -> None:
    """What fails, or reaches for files, is refused in one line."""
    done = finished[0].run("results", "--sql", sql)
    assert (done.code, done.err.count("\n"), says in done.err) == (1, 1, True)


def test_a_query_and_a_run_exclude_each_other(finished: tuple[Site, str]) -> None:
    """The query can name the run itself."""
    site, run_id = finished
    done = site.run("results", "--run", run_id, "--sql", "SELECT 1")
    assert (done.code, "not both" in done.err) == (1, True)
