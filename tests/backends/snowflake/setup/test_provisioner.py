"""Setup and teardown against the peer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.setup.provisioner import left_to_others
from lungreg.backends.snowflake.setup.statement import MARK
from lungreg.errors import AlreadyExistsError, ForbiddenError, StoreUnavailableError
from lungreg.stores import Provisioner
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.server import connection_of
from tests.backends.snowflake.peer.statement import SqlError
from tests.backends.snowflake.setup.account import Account, names, of_database


def tables(provisioner: SnowflakeProvisioner) -> list[tuple[str, str]]:
    """What is in the database: names and kinds, as the peer's own catalogue has them."""
    database = provisioner.source.settings.database
    rows = provisioner.source.run(
        f"SELECT table_schema, table_name FROM {database}.information_schema.tables ORDER BY 1, 2"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


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
    assert second.found >= 11  # all but stages and tables, of which the peer does not say so
    assert first.statements == second.statements
    assert tables(provisioner) == sorted([*before, (settings.results_schema, "MINE")])
    assert account.objects == objects
    assert names(provisioner.source.run(f"SHOW STAGES IN DATABASE {settings.database}")) == stages
    assert stages == ["IMAGES", "JOBS", "RUNS"]
    assert not peer.said("DROP|REPLACE")
    assert [row[0] for row in provisioner.source.run(f"SELECT N FROM {schema}.MINE")] == [1]


def test_grants_that_setup_may_not_make_are_left_to_others(account: Account, peer: Peer) -> None:
    """Each is tried; those on the account and on what somebody else owns come back as SQL."""
    raw = {"integrations": ["PYPI_EAI"], "batch": {"image_repository": "A.B.IMAGES"}}
    source = of_database("LEFTOVER", **raw).source
    assert left_to_others(source.settings, source.run) == (
        "GRANT USAGE ON INTEGRATION PYPI_EAI TO ROLE LUNGREG_TRAIN",
        "GRANT USAGE ON INTEGRATION PYPI_EAI TO ROLE LUNGREG_INFER",
        "GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE LUNGREG_INFER",
        "GRANT READ, WRITE ON IMAGE REPOSITORY A.B.IMAGES TO ROLE LUNGREG_INFER",
        "GRANT SERVICE READ, SERVICE WRITE ON IMAGE REPOSITORY A.B.IMAGES TO ROLE LUNGREG_INFER",
    )
    account.may_pass_on_account = True
    account.objects["IMAGE REPOSITORY", "A.B.IMAGES"] = ""
    account.objects["INTEGRATION", "PYPI_EAI"] = ""
    assert left_to_others(source.settings, source.run) == ()


def test_all_is_done_in_the_role_of_setup(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """The role is taken before the first object is made."""
    provisioner.make()
    asked = "QUERY_TAG|SELECT CURRENT_ROLE|USE SECONDARY ROLES NONE"
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

    account.users_roles.add("ANALYST")
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


def test_a_user_without_the_role_of_setup_sees_whom_to_ask(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """Without the role of setup nothing is tried: an administrator gives it."""
    peer.mischief.deny("^use role")
    with pytest.raises(ForbiddenError, match="let an administrator give you LUNGREG_SETUP"):
        provisioner.make()
    assert not peer.said("^CREATE")


def test_the_first_setup_logs_in_as_a_role_that_exists(
    provisioner: SnowflakeProvisioner, account: Account, peer: Peer
) -> None:
    """The tutorial's connection names a role that setup has yet to make; teardown drops it."""
    settings = provisioner.source.settings.model_copy(update={"role": "LUNGREG_TRAIN"})
    first = SnowflakeProvisioner(SessionSource(settings))
    with pytest.raises(ForbiddenError), first.source.use():
        pass
    first.make()
    first.remove(first.removals())
    assert "ROLE" not in {kind for kind, _ in account.objects}
    account.users_roles.clear()
    close_all()
    with pytest.raises(ForbiddenError, match="let an administrator give you LUNGREG_SETUP"):
        first.make()
