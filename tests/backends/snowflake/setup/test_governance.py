"""Governance: tags, a mask, a budget, and what an edition without them is told."""

from __future__ import annotations

import duckdb
import pytest

from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.governance import governance, mask_body
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.setup.account import Account, of_database

POOL = {"compute_pool": {"monthly_credits": 50}}


@pytest.fixture
def made(account: Account) -> SnowflakeProvisioner:
    """Set up, with a limit of credits."""
    provisioner = of_database("GOVERNED", **POOL)
    provisioner.make()
    return provisioner


def test_what_holds_case_ids_is_tagged_masked_and_budgeted_and_ends_with_teardown(
    made: SnowflakeProvisioner, account: Account
) -> None:
    """Twice, with other roles the second time; a policy of the customer's own stays."""
    kept = account.governance
    assert made.make_part("governance") == ()
    table, policy = "GOVERNED.RESULTS.REGISTRATION_RESULTS", "GOVERNED.RESULTS.LUNGREG_CASE_ID"
    assert kept.tagged["STAGE GOVERNED.UTILS.IMAGES"] == "scans"
    assert kept.tagged[f"TABLE {table} MODIFY COLUMN case_id"] == "case ids"
    assert kept.masked == {table: policy}
    assert kept.budgets["GOVERNED.UTILS.LUNGREG_POOL_BUDGET"] == [
        "50",
        "SYSTEM$REFERENCE('COMPUTE_POOL', 'LUNGREG_GPU', 'SESSION', 'APPLYBUDGET')",
    ]
    other = of_database("GOVERNED", **POOL, case_id_roles=["AUDITOR"])
    assert other.make_part("governance") == ()
    assert "'AUDITOR'" in kept.policies[policy]
    kept.masked[table] = "THEIRS"
    assert other.make_part("governance") == ()
    assert kept.masked == {table: "THEIRS"}
    other.remove(other.removals())
    assert [*kept.tags, *kept.policies, *kept.masked, *kept.budgets] == []


def test_what_the_account_lacks_is_printed(account: Account) -> None:
    """In the Standard edition all that needs Enterprise; without the role of budgets those."""
    made = of_database("GOVERNED", **POOL)
    account.governance.is_enterprise, account.governance.may_budget = False, False
    assert made.make_part("governance") == tuple(
        item.sql for item in governance(made.source.settings)
    )
    notes = "\n".join(made.part_notes("governance"))
    assert "ACCESS_HISTORY" in notes
    assert "'GOVERNED.UTILS.IMAGES'" in notes
    assert "no budget" not in notes
    plain = of_database("GOVERNED")
    assert "monthly_credits is not set" in plain.part_script("governance")


@pytest.mark.parametrize(
    ("role", "sees"), [("LUNGREG_READ", True), ("LUNGREG_INFER", True), ("ANALYST", False)]
)
def test_who_needs_the_id_sees_it_and_others_a_hash(role: str, sees: bool) -> None:
    """The same for each case, so that rows can be counted; the expression, as DuckDB knows it."""
    body = mask_body(SnowflakeBackend(kind="snowflake"))
    known = body.replace("CURRENT_ROLE()", f"'{role}'").replace("SHA2(val, 256)", "sha256(val)")
    rows = duckdb.sql(f"SELECT {known} FROM (VALUES ('a'), ('a'), ('b')) t(val)").fetchall()
    shown = [row[0] for row in rows]
    assert (shown == ["a", "a", "b"]) == sees
    assert len(set(shown)) == 2
