"""A result table that an earlier version made gets the columns of this one, and keeps its rows."""

from __future__ import annotations

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.tables.result_sql import (
    LATER_COLUMNS,
    create_result_table,
    create_result_view,
    result_table,
    result_view,
)
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError
from lungreg.records import RESULT_COLUMNS, Status
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.setup.account import Account
from tests.contracts.results import FULL, result

COLUMNS_OF_164D8CA = (
    *("run_id", "case_id", "split", "status", "verdict", "error_code", "error_message"),
    *("dice_score", "dice_initial", "dice_aligned", "ssim_score", "ncc", "hd95_mm"),
    *("tre_mm", "tre_median_mm", "tre_initial_mm", "tre_aligned_mm"),
    *("fold_pct", "jacobian_min", "jacobian_max", "sdlogj", "outside_fov_pct"),
    *("output_image", "output_label", "output_transform", "model_name", "model_version"),
    *("read_s", "compute_s", "write_s", "attempt", "worker", "started_at", "finished_at"),
    "schema_version",
)


def make_old_table(source: SessionSource) -> None:
    """Table and view with the columns of 164d8ca, and a row in them."""
    settings = source.settings
    table, view = create_result_table(settings), create_result_view(settings)
    names = ", ".join(RESULT_COLUMNS)
    for name in LATER_COLUMNS:
        lines = [line for line in table.splitlines() if not line.strip().startswith(f"{name} ")]
        table = "\n".join(lines)
    source.run(table)
    source.run(view.replace(names, ", ".join(COLUMNS_OF_164D8CA)))
    source.run(
        f"INSERT INTO {result_table(settings)} "
        "(run_id, case_id, status, verdict, split, attempt, started_at, finished_at, tre_mm) "
        "VALUES ('run', 'old', 'success', 'pass', 'test', 1, "
        "'2026-01-01 00:00:00+00:00', '2026-01-01 00:01:00+00:00', 1.5)"
    )


def columns(source: SessionSource, name: str) -> list[str]:
    """The columns of a table or view, in lower case and alphabetical."""
    (row,) = source.run(f"SELECT * FROM {name} LIMIT 1")
    return sorted(column.lower() for column in row.as_dict())


@pytest.fixture
def old(source: SessionSource) -> SnowflakeResultTable:
    """A table of an earlier version."""
    make_old_table(source)
    assert columns(source, result_table(source.settings)) == sorted(COLUMNS_OF_164D8CA)
    return SnowflakeResultTable(source)


def test_every_column_since_then_is_listed() -> None:
    """A new column without a place in `LATER_COLUMNS` would never reach a table that exists."""
    assert sorted((*COLUMNS_OF_164D8CA, *LATER_COLUMNS)) == sorted(RESULT_COLUMNS)


def test_writing_upgrades_a_table_of_ones_own(
    old: SnowflakeResultTable, source: SessionSource
) -> None:
    """Rows of both versions stand in it, and the view shows the new columns."""
    new = result("new", etre_mm=1.25, evidence="estimated")
    old.write([FULL, new])
    rows = {row.case_id: row for row in old.rows("run")}
    assert rows["new"] == new
    assert rows[FULL.case_id] == FULL
    assert (rows["old"].tre_mm, rows["old"].etre_mm, rows["old"].evidence) == (1.5, None, None)
    assert rows["old"].status is Status.SUCCESS
    assert columns(source, result_view(source.settings)) == sorted(RESULT_COLUMNS)


def test_reading_alone_upgrades_too(old: SnowflakeResultTable) -> None:
    """`results` and `report` of an old run need nothing to be written first."""
    assert [row.case_id for row in old.rows("run")] == ["old"]
    assert old.query("SELECT etre_mm FROM results").to_pylist() == [{"etre_mm": None}]


@pytest.mark.parametrize("action", ["read", "write"])
def test_who_may_not_alter_it_is_sent_to_setup(
    old: SnowflakeResultTable, peer: Peer, action: str
) -> None:
    """The table belongs to the role of setup; those of the steps cannot add columns."""
    peer.mischief.deny("^ALTER TABLE")
    with pytest.raises(ForbiddenError, match="lungreg setup --execute") as caught:
        old.rows("run") if action == "read" else old.write([FULL])
    assert "a table of an earlier one" in str(caught.value)
    assert not peer.said("REPLACE VIEW")


def test_setup_upgrades_and_then_changes_nothing(
    old: SnowflakeResultTable, settings: SnowflakeBackend, peer: Peer
) -> None:
    """Columns are added and the view replaced once, its grants kept; a second run does neither."""
    Account(peer)
    provisioner = SnowflakeProvisioner(old.source)
    provisioner.make()
    assert len(peer.said("REPLACE VIEW .* COPY GRANTS")) == 1
    assert columns(old.source, result_table(settings)) == sorted(RESULT_COLUMNS)
    assert columns(old.source, result_view(settings)) == sorted(RESULT_COLUMNS)
    assert [row.tre_mm for row in old.rows("run")] == [1.5]
    provisioner.make()
    assert len(peer.said("REPLACE")) == 1
