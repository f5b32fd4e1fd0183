"""Teardown: what it lists, drops and keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.statement import mark_of
from lungreg.errors import ForbiddenError
from lungreg.stores import Removal
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.models import Models
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account, names, of_database


def test_teardown_lists_before_it_drops(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Listing changes nothing; dropping what was listed leaves an account without lungreg."""
    provisioner.make()
    found = provisioner.removals()
    assert [removal.kind for removal in found] == [
        *("compute pool", "integration", "database", "warehouse", "role", "role", "role", "role"),
    ]
    assert all(removal.statements and not removal.kept for removal in found)
    assert not peer.said("^(DROP|ALTER COMPUTE)")
    assert "UTILS: tables: 0, views: 0, stages: 2" in found[2].holds
    assert "not lungreg's" not in found[2].holds
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


def test_teardown_lists_models_that_another_role_has_made(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer, tmp_path: Path
) -> None:
    """Setup owns the schema, which alone would show it none: it is granted the role that trains."""
    models, privileges = Models(peer), Privileges(peer)
    provisioner.make()
    name = f"{provisioner.source.settings.utils}.LUNGREG"
    models.put(name, "V1", tmp_path)
    privileges.made_by("LUNGREG_TRAIN", name)
    assert "models: 1" in whole(provisioner).holds
    peer.roles.granted.discard(("LUNGREG_TRAIN", "LUNGREG_SETUP"))
    assert "models: 0" in whole(provisioner).holds


def test_a_role_that_is_somebody_elses_is_left_to_them(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """Only its owner lets setup have it; the rest of setup goes on."""
    account.objects["ROLE", "LUNGREG_TRAIN"] = ""
    left = provisioner.make().left
    assert "GRANT ROLE LUNGREG_TRAIN TO ROLE LUNGREG_SETUP" in left
    assert "GRANT ROLE LUNGREG_INFER TO ROLE LUNGREG_SETUP" not in left


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
    assert whole(provisioner).kept == ""
    account.others["NOTEBOOKS", f"{database}.PUBLIC"] = ["OF_A_COLLEAGUE"]
    found = whole(provisioner)
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
    holds = whole(provisioner).holds
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
    found = whole(provisioner)
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


@pytest.mark.parametrize(
    "step", ["COMPUTE POOL", "DATABASE", "WAREHOUSE", "ROLE IF EXISTS LUNGREG_INFER"]
)
def test_a_teardown_that_broke_off_is_started_again(
    step: str, provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Wherever it stops, the next one finds what is left and drops it."""
    provisioner.make()
    peer.mischief.deny(f"^DROP {step}")
    with pytest.raises(ForbiddenError):
        provisioner.remove(provisioner.removals())
    peer.forget_faults()
    left = provisioner.removals()
    assert 0 < len(left) <= 8
    provisioner.remove(left)
    assert provisioner.removals() == []


def test_grants_on_what_comes_are_revoked_where_their_schema_stays(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """A role is dropped without MANAGE GRANTS also where somebody else owns the schema."""
    provisioner.make()
    account.comments[provisioner.source.settings.utils] = "of another team"
    found = provisioner.removals()
    assert [removal.kept for removal in found if removal.name.endswith(".UTILS")] != [""]
    provisioner.remove(found)
    assert not any(kind == "ROLE" for kind, _ in account.objects)


def whole(provisioner: SnowflakeProvisioner) -> Removal:
    """What would happen to the database."""
    found = provisioner.removals()
    return next(removal for removal in found if removal.kind == "database")
