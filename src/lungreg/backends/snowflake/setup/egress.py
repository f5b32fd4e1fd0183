"""Let jobs reach hosts: the SQL of a network rule and its external access integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import is_missing
from lungreg.backends.snowflake.setup.statement import Ask, Probe, Statement, mark_of
from lungreg.config import SnowflakeBackend
from lungreg.errors import AlreadyExistsError

if TYPE_CHECKING:
    from snowflake.snowpark import Row


def egress_statements(settings: SnowflakeBackend) -> list[Statement]:
    """Make or update the rule of the hosts and its integration; none without hosts."""
    egress, mark = settings.egress, mark_of(settings)
    if not egress.hosts:
        return []
    rule, hosts = _rule(settings), ", ".join(f"'{host}'" for host in egress.hosts)
    allowed = f"ALLOWED_NETWORK_RULES = ({rule}) ENABLED = TRUE"
    note = f"Stop here if {egress.name} exists and its comment is not '{mark}'."
    return [
        Statement(
            sql=f"CREATE NETWORK RULE IF NOT EXISTS {rule} TYPE = HOST_PORT MODE = EGRESS "
            f"VALUE_LIST = ({hosts}) COMMENT = '{mark}'",
            note=note,
        ),
        Statement(sql=f"ALTER NETWORK RULE {rule} SET VALUE_LIST = ({hosts})"),
        Statement(
            sql=f"CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS {egress.name} {allowed} "
            f"COMMENT = '{mark}'",
            note=note,
        ),
        Statement(sql=f"ALTER EXTERNAL ACCESS INTEGRATION {egress.name} SET {allowed}"),
    ]


def refuse_foreign_egress(settings: SnowflakeBackend, ask: Ask) -> None:
    """Refuse to change a rule or integration that this installation has not made.

    Args:
        settings: With hosts or without.
        ask: Runs SHOW in the role of setup.

    Raises:
        AlreadyExistsError: Rule or integration exist and have another comment.
    """
    if not settings.egress.hosts:
        return
    name, mark = settings.egress.name, mark_of(settings)
    schema = _rule(settings).rpartition(".")[0]
    for kind, scope in (("NETWORK RULES", f"IN SCHEMA {schema}"), ("INTEGRATIONS", "")):
        for row in _shown(Probe(kind=kind, name=name, scope=scope), ask):
            if str(row["comment"] or "") != mark:
                msg = "what jobs may reach is told by objects that this installation has made"
                got = f"{kind.lower().removesuffix('s')} {name} of somebody else"
                raise AlreadyExistsError(msg, got=got, mend="set backend.egress.name to a new name")


def _rule(settings: SnowflakeBackend) -> str:
    return f"{settings.utils}.{settings.egress.name}"


def _shown(probe: Probe, ask: Ask) -> list[Row]:
    try:
        return probe.found(ask)
    except Exception as error:
        if is_missing(error):  # the schema does not exist before the first setup
            return []
        raise
