"""Setup and teardown against the peer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from lungreg.backends.snowflake.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.statement import MARK
from lungreg.config import SnowflakeBackend
from lungreg.errors import StoreUnavailableError
from lungreg.stores import Provisioner
from tests.snowflake.conftest import CONNECTION
from tests.snowflake.peer import Peer
from tests.snowflake.peer.statement import SqlError
from tests.snowflake.setup.account import Account


@pytest.fixture
def account(peer: Peer) -> Account:
    return Account(peer)


@pytest.fixture
def provisioner(peer: Peer, request: pytest.FixtureRequest) -> SnowflakeProvisioner:
    """For a database that does not exist yet."""
    number = abs(hash(request.node.nodeid)) % 10**9
    settings = SnowflakeBackend(
        kind="snowflake",
        connection=CONNECTION,
        database=f"SETUP_{number}",
        timeout_s=2,
        egress={"hosts": ["pypi.org:443"]},
    )
    return SnowflakeProvisioner(SessionSource(settings))


def tables(provisioner: SnowflakeProvisioner) -> list[tuple[str, str]]:
    """What is in the database: names and kinds, as the peer's own catalogue has them."""
    database = provisioner.source.settings.database
    rows = provisioner.source.run(
        f"SELECT table_schema, table_name FROM {database}.information_schema.tables ORDER BY 1, 2"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def names(rows: Sequence[Any]) -> list[str]:
    return sorted(str(row["name"]) for row in rows)


def test_it_is_a_provisioner(provisioner: SnowflakeProvisioner) -> None:
    """It keeps the Protocol."""
    assert isinstance(provisioner, Provisioner)


def test_setup_run_twice_changes_nothing(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """The second run finds everything, makes nothing anew and leaves rows and files alone."""
    first = provisioner.make()
    settings = provisioner.source.settings
    schema = f"{settings.database}.{settings.results_schema}"
    before, objects = tables(provisioner), dict(account.objects)
    stages = names(provisioner.source.run(f"SHOW STAGES IN DATABASE {settings.database}"))
    provisioner.source.run(f"CREATE TABLE {schema}.MINE AS SELECT 1 AS N")
    second = provisioner.make()
    assert first - second == 2  # the rule and the integration are asked for first
    assert tables(provisioner) == sorted([*before, (settings.results_schema, "MINE")])
    assert account.objects == objects
    assert names(provisioner.source.run(f"SHOW STAGES IN DATABASE {settings.database}")) == stages
    assert stages == ["IMAGES", "JOBS", "RUNS"]
    assert not peer.said("DROP|REPLACE")
    assert [row[0] for row in provisioner.source.run(f"SELECT N FROM {schema}.MINE")] == [1]


def test_all_is_done_in_the_role_of_setup(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """The role is taken before the first object is made."""
    provisioner.make()
    texts = [item.text for item in peer.statements if "QUERY_TAG" not in item.text.upper()]
    assert re.match(r'use role "?LUNGREG_SETUP"?', texts[0])


def test_setup_without_a_privilege_says_so(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Snowflake's refusal becomes one error with a mend, and nothing after it is tried."""

    def refuse(*_: object) -> Any:
        raise SqlError(3001, "42501", "Insufficient privileges to operate on account 'X'.")

    peer.on(r"^CREATE COMPUTE POOL", refuse)
    with pytest.raises(StoreUnavailableError, match="role"):
        provisioner.make()
    assert not peer.said("^GRANT")


def test_teardown_lists_before_it_drops(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Listing changes nothing; dropping what was listed leaves an account without lungreg."""
    provisioner.make()
    found = provisioner.removals()
    assert [removal.kind for removal in found] == [
        *("compute pool", "integration", "role", "role", "role", "role", "warehouse", "database"),
    ]
    assert all(removal.statements and not removal.kept for removal in found)
    assert not peer.said("^(DROP|ALTER COMPUTE)")
    assert "stages: 3" in found[-1].holds
    provisioner.remove(found)
    assert set(account.objects) <= {("NETWORK RULE", "LUNGREG_EGRESS")}  # went with its schema
    database = provisioner.source.settings.database
    assert [item.text for item in peer.said("^DROP DATABASE")] == [
        f"DROP DATABASE IF EXISTS {database}"
    ]


def test_teardown_keeps_what_setup_did_not_make(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """A warehouse and a role that were there before are named with the reason and stay."""
    account.objects["WAREHOUSE", "LUNGREG_WH"] = "of another team"
    account.objects["ROLE", "LUNGREG_READ"] = ""
    provisioner.make()
    kept = {removal.name: removal for removal in provisioner.removals() if removal.kept}
    assert set(kept) == {"LUNGREG_WH", "LUNGREG_READ"}
    assert not any(removal.statements for removal in kept.values())


def test_teardown_keeps_a_database_that_others_use(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """With another schema in it only our two schemas go."""
    provisioner.make()
    database = provisioner.source.settings.database
    provisioner.source.run(f"CREATE SCHEMA {database}.THEIRS")
    found = {removal.name: removal for removal in provisioner.removals()}
    assert found[database].kept == "it holds other schemas: THEIRS"
    assert found[f"{database}.UTILS"].statements == (f"DROP SCHEMA IF EXISTS {database}.UTILS",)
    provisioner.remove([*found.values()])
    left = names(provisioner.source.run(f"SHOW SCHEMAS IN DATABASE {database}"))
    assert "THEIRS" in left
    assert not {"UTILS", "RESULTS"} & set(left)


def test_names_that_look_alike_are_not_mistaken(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """SHOW .. LIKE takes "_" for any character: LUNGREGXREAD is not LUNGREG_READ."""
    account.objects["ROLE", "LUNGREGXREAD"] = MARK
    found = provisioner.removals()
    assert not any(removal.kind == "role" for removal in found)
