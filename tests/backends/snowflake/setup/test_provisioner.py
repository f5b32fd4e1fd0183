"""Setup and teardown against the peer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.statement import MARK, mark_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import AlreadyExistsError, ForbiddenError, StoreUnavailableError
from lungreg.stores import Provisioner
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.server import connection_of
from tests.backends.snowflake.peer.statement import SqlError
from tests.backends.snowflake.setup.account import Account


@pytest.fixture
def account(peer: Peer) -> Account:
    return Account(peer)


@pytest.fixture
def provisioner(peer: Peer, request: pytest.FixtureRequest) -> SnowflakeProvisioner:
    """For a database that does not exist yet."""
    return of_database(f"SETUP_{abs(hash(request.node.nodeid)) % 10**9}")


def of_database(name: str, **changes: object) -> SnowflakeProvisioner:
    """An installation with names of the account as they are by default."""
    raw = {"connection": CONNECTION, "timeout_s": 2, "egress": {"hosts": ["pypi.org:443"]}}
    settings = SnowflakeBackend.model_validate(
        {"kind": "snowflake", "database": name, **raw, **changes}
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
    assert first.found == 0
    assert second.found >= 11  # all but stages and tables, of which the peer tells nothing
    assert first.statements == second.statements
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
    asked = "QUERY_TAG|SELECT CURRENT_ROLE"
    texts = [item.text for item in peer.statements if not re.search(asked, item.text, re.I)]
    assert re.match(r'use role "?LUNGREG_SETUP"?', texts[0])


def test_setup_without_a_privilege_says_so(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Snowflake's refusal becomes one error with a mend, and nothing after it is tried."""

    def refuse(*_: object) -> Any:
        raise SqlError(3001, "42501", "Insufficient privileges to operate on account 'X'.")

    peer.on(r"^CREATE COMPUTE POOL", refuse)
    with pytest.raises(StoreUnavailableError, match="administrator grant LUNGREG_SETUP what"):
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
    assert "UTILS: tables: 0, views: 0, stages: 2" in found[-1].holds
    assert "not lungreg's" not in found[-1].holds
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
    account.objects["ROLE", "LUNGREGXREAD"] = mark_of(provisioner.source.settings)
    found = provisioner.removals()
    assert not any(removal.kind == "role" for removal in found)


def test_teardown_keeps_what_another_installation_made(account: Account) -> None:
    """Two databases share a pool of the default name: it goes with the one that made it."""
    first, second = of_database("FIRST_SITE"), of_database("SECOND_SITE", egress={})
    first.make()
    second.make()
    kept = {removal.name: removal.kept for removal in second.removals() if removal.kept}
    assert kept == dict.fromkeys(
        ["LUNGREG_GPU", "LUNGREG_EGRESS", "LUNGREG_WH"]
        + [f"LUNGREG_{step}" for step in ("INGEST", "TRAIN", "INFER", "READ")],
        "setup made it for FIRST_SITE",
    )
    assert [removal.name for removal in second.removals() if removal.statements] == ["SECOND_SITE"]
    assert all(removal.statements for removal in first.removals())


def test_teardown_keeps_a_database_whose_public_schema_is_used(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """What others put into PUBLIC is theirs, as a schema of their own would be."""
    provisioner.make()
    database = provisioner.source.settings.database
    provisioner.source.run(f"CREATE SCHEMA {database}.PUBLIC")
    assert provisioner.removals()[-1].kept == ""
    account.others["NOTEBOOKS", f"{database}.PUBLIC"] = ["OF_A_COLLEAGUE"]
    found = provisioner.removals()[-1]
    assert found.kept == "its schema PUBLIC holds notebooks OF_A_COLLEAGUE"
    assert found.statements == ()


def test_teardown_names_what_others_put_into_our_schemas(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """Counts hide a colleague's table: what lungreg did not make is named before it is dropped."""
    provisioner.make()
    settings = provisioner.source.settings
    schema = f"{settings.database}.{settings.results_schema}"
    provisioner.source.run(f"CREATE TABLE {schema}.THEIRS (A NUMBER)")
    provisioner.source.run(f"CREATE VIEW {schema}.SEEN AS SELECT * FROM {schema}.THEIRS")
    holds = provisioner.removals()[-1].holds
    assert "tables: 2" in holds
    assert "not lungreg's: tables THEIRS" in holds
    assert "not lungreg's: views SEEN" in holds


def test_teardown_knows_the_table_of_claims_of_earlier_versions(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """Setup once made it: it goes with the database and is nobody else's."""
    provisioner.make()
    settings = provisioner.source.settings
    schema = f"{settings.database}.{settings.results_schema}"
    provisioner.source.run(f"CREATE TABLE {schema}.CLAIMS (CLAIM_KEY VARCHAR)")
    found = provisioner.removals()[-1]
    assert found.statements == (f"DROP DATABASE IF EXISTS {settings.database}",)
    assert "tables: 2" in found.holds
    assert "not lungreg's" not in found.holds


def test_teardown_lists_the_services_that_would_end(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """STOP ALL ends whatever runs on the pool, so it is named."""
    provisioner.make()
    account.services = [("OTHER", "APP", "DASHBOARD")]
    (pool,) = [removal for removal in provisioner.removals() if removal.kind == "compute pool"]
    assert pool.holds == "services: OTHER.APP.DASHBOARD"


def test_changed_hosts_are_applied(provisioner: SnowflakeProvisioner, account: Account) -> None:
    """Another setup lets jobs reach the hosts that are configured now, and no others."""
    provisioner.make()
    assert account.hosts == "'pypi.org:443'"
    hosts = ["example.org:443", "files.example.org:443"]
    of_database(provisioner.source.settings.database, egress={"hosts": hosts}).make()
    assert account.hosts == "'example.org:443', 'files.example.org:443'"


@pytest.mark.parametrize("kind", ["NETWORK RULE", "INTEGRATION"])
@pytest.mark.parametrize("comment", ["", f"{MARK}ANOTHER_SITE"])
def test_egress_of_somebody_else_is_refused(
    kind: str, comment: str, provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Scans might go wherever that leads: nothing is changed and no role is let through."""
    account.objects[kind, "LUNGREG_EGRESS"] = comment
    account.comments[f"{provisioner.source.settings.database}.UTILS"] = "of whomever"
    with pytest.raises(AlreadyExistsError, match=f"{kind.lower()} LUNGREG_EGRESS of somebody"):
        provisioner.make()
    assert not peer.said("^(GRANT|ALTER NETWORK|ALTER EXTERNAL|CREATE)")


def test_a_notebook_keeps_its_role(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Setup and teardown give the active session its role back, also where they fail."""
    from snowflake.snowpark import Session

    session = Session.builder.configs({**connection_of(peer), "role": "ANALYST"}).create()
    try:
        there = of_database(provisioner.source.settings.database, connection=None)
        there.make()
        assert str(session.get_current_role()).strip('"') == "ANALYST"
        there.remove(there.removals())
        assert str(session.get_current_role()).strip('"') == "ANALYST"
        peer.mischief.deny("^CREATE WAREHOUSE")
        with pytest.raises(ForbiddenError):
            there.make()
        assert str(session.get_current_role()).strip('"') == "ANALYST"
        there.source.discard()
    finally:
        session.close()


def test_who_may_not_set_up_is_told_whom_to_ask(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Without the role of setup nothing is tried: an administrator gives it."""
    peer.mischief.deny("^use role")
    with pytest.raises(ForbiddenError, match="let an administrator give you LUNGREG_SETUP"):
        provisioner.make()
    assert not peer.said("^CREATE")
