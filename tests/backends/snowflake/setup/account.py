"""What an account has outside its databases, as answers of the peer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.governance import Governance
from tests.backends.snowflake.peer.statement import SqlError
from tests.backends.snowflake.peer.streamlits import Streamlits
from tests.backends.snowflake.peer.tasks import Tasks
from tests.backends.snowflake.peer.workspaces import Workspaces

ACCOUNT_KINDS = ("WAREHOUSE", "COMPUTE POOL", "INTEGRATION", "ROLE", "NETWORK RULE")
_KINDS = "|".join(ACCOUNT_KINDS)
_UNKNOWN_THERE = "NOTEBOOKS|SERVICES|TASKS|SEQUENCES|USER FUNCTIONS|MODELS"
"""What fakesnow cannot show."""
_FAMILIES = {
    "AWS": ("GPU_NV_S", "GPU_NV_M", "GPU_NV_L"),
    "AZURE": ("GPU_NV_XS", "GPU_NV_SM", "GPU_NV_2M", "GPU_NV_3M", "GPU_NV_SL"),
    "GCP": ("GPU_GCP_NV_L4_1_24G", "GPU_GCP_NV_L4_4_24G", "GPU_GCP_NV_A100_8_40G"),
}
_DONE = (["status"], [["Statement executed successfully."]])


class Account:
    """What the peer lacks: objects outside databases, kept as (kind, name) with a comment."""

    hosts = ""
    """VALUE_LIST of the network rule."""
    may_pass_on_account = False
    """Whether an administrator has given setup its privileges WITH GRANT OPTION."""

    dropped: set[str]
    """Databases, which DuckDB cannot drop."""
    future: set[tuple[str, str]]
    """Roles and the schemas in which they are granted privileges on objects to come."""

    def __init__(self, peer: Peer) -> None:
        self.future, self.dropped = set(), set()
        self.objects: dict[tuple[str, str], str] = {}
        self.roles_made: set[str] = set()
        """Roles that setup has made, and owns."""
        self.comments: dict[str, str] = {}
        """Of databases and schemas, by name, as their CREATE said first."""
        self.services: list[tuple[str, str, str]] = []
        """On the compute pool: database, schema, name."""
        self.others: dict[tuple[str, str], list[str]] = {}
        """Names of what others made, by kind as in SHOW and full name of the schema."""
        self.region = "PUBLIC.AWS_US_WEST_2"
        self.users_roles = {"PUBLIC", "LUNGREG_SETUP"}
        """Roles of the user that an administrator has made."""
        peer.roles.known = lambda: {
            *self.users_roles,
            *(name for kind, name in self.objects if kind == "ROLE"),
        }
        peer.on(r"^use role", self._use_role)
        self._roles = peer.roles
        peer.on(r"^SELECT CURRENT_REGION", lambda *_: (["region"], [[self.region]]))
        peer.on(r"^(GRANT|REVOKE) ", self._note_future)
        peer.on(r"^ALTER (COMPUTE POOL|NETWORK RULE|EXTERNAL ACCESS INTEGRATION)", self._alter)
        peer.on(rf"^CREATE (EXTERNAL ACCESS )?({_KINDS}) ", self._create)
        peer.on(rf"^DROP ({_KINDS}) IF EXISTS", self._drop)
        peer.on(rf"^SHOW ({_KINDS})S LIKE", self._show)
        peer.on(r"^SHOW (DATABASES|SCHEMAS) LIKE", self._show_marked)
        peer.on(rf"^SHOW ({_UNKNOWN_THERE}) IN SCHEMA", self._show_others)
        peer.on(r"^SHOW SERVICES IN COMPUTE POOL", self._show_services)
        peer.on(r"^CREATE (DATABASE|SCHEMA) IF NOT EXISTS", self._create_marked)
        peer.on(r"^DROP (DATABASE|SCHEMA)", self._drop_marked)
        self.workspaces, self.tasks = Workspaces(peer), Tasks(peer)
        self.governance, self.streamlits = Governance(peer), Streamlits(peer)

    def _use_role(self, sql: str, _binds: object, _connection: object) -> Any:
        """Only a role that the user has, by itself or by another role of the user."""
        role = sql.rsplit(maxsplit=1)[-1].strip('";').upper()
        had = {low for high in self.users_roles for low in self._roles.had_by(high)}
        if role not in had:
            text = f"Requested role '{role}' is not assigned to the executing user."
            raise SqlError(3013, "42501", text)
        return _DONE

    def _create(self, sql: str, _binds: object, _connection: object) -> Any:
        form = rf"CREATE (?:EXTERNAL ACCESS )?({_KINDS}) (IF NOT EXISTS )?([\w.]+) "
        match = re.match(form, sql)
        assert match is not None
        key = (match[1], match[3].rpartition(".")[2].upper())
        if key in self.objects:
            if not match[2]:
                raise SqlError(2002, "42710", f"Object '{key[1]}' already exists.")
            return ["status"], [[f"{key[1]} already exists, statement succeeded."]]
        if (family := re.search(r"INSTANCE_FAMILY = (\w+)", sql)) and not self._has(family[1]):
            raise SqlError(1008, "22023", f"Invalid instance family '{family[1]}'")
        self.objects[key] = _comment(sql)
        if key[0] == "ROLE":
            self.roles_made.add(key[1])
        if key[0] == "NETWORK RULE":
            self.hosts = _hosts(sql)
        return ["status"], [[f"{key[1]} successfully created."]]

    def _has(self, family: str) -> bool:
        """Whether the cloud of the account has nodes of this family."""
        return family in _FAMILIES[self.region.partition(".")[2].partition("_")[0]]

    def _alter(self, sql: str, _binds: object, _connection: object) -> Any:
        if sql.startswith("ALTER NETWORK RULE"):
            self.hosts = _hosts(sql)
        return _DONE

    def _drop(self, sql: str, _binds: object, _connection: object) -> Any:
        match = re.match(r"DROP (.*) IF EXISTS (\w+)", sql)
        assert match is not None
        kind, name = match[1], match[2].upper()
        if kind == "ROLE" and any(role == name for role, _ in self.future):
            text = f"SQL access control error:\nInsufficient privileges to operate on role '{name}'"
            raise SqlError(3001, "42501", text)  # which only MANAGE GRANTS may drop
        self.objects.pop((kind, name), None)
        return _DONE

    def _note_future(self, sql: str, _binds: object, _connection: object) -> Any:
        if self._is_of_others(sql):
            text = "SQL access control error:\nGrant not executed: Insufficient privileges."
            raise SqlError(3001, "42501", text)
        match = re.match(r"(\w+) .* ON FUTURE \w+ IN SCHEMA (\S+) (?:TO|FROM) ROLE (\w+)", sql)
        if match is not None:
            change = self.future.add if match[1] == "GRANT" else self.future.discard
            change((match[3].upper(), match[2].upper()))
        return _DONE

    def _is_of_others(self, sql: str) -> bool:
        """Whether a grant is on the account, or on an object that setup has not made."""
        if role := re.match(r"GRANT ROLE (\w+) TO ROLE", sql):
            return role[1].upper() not in self.roles_made
        if sql.startswith("GRANT DATABASE ROLE SNOWFLAKE."):
            return not self.may_pass_on_account
        match = re.search(
            r" ON (ACCOUNT|(?:IMAGE|ARTIFACT) REPOSITORY|INTEGRATION) ?([\w.]*) TO ROLE", sql
        )
        if match is None or (match[1] == "ACCOUNT" and self.may_pass_on_account):
            return False
        return (match[1], match[2].upper()) not in self.objects

    def _drop_marked(self, sql: str, _binds: object, connection: Any) -> Any:
        match = re.match(r"DROP (DATABASE|SCHEMA) IF EXISTS ([\w.]+)", sql)
        assert match is not None
        name = match[2].upper()
        self.future = {
            (role, at) for role, at in self.future if not f"{at}.".startswith(f"{name}.")
        }
        self.workspaces.drop_in(name)
        self.tasks.drop_in(name)
        self.governance.drop_in(name)
        self.streamlits.drop_in(name)
        if match[1] == "DATABASE":
            self.dropped.add(name)
        else:
            connection.cursor().execute(sql)
        return _DONE

    def _show(self, sql: str, _binds: object, _connection: object) -> Any:
        match = re.match(r"SHOW (.*)S LIKE '(\w+)'", sql)
        assert match is not None
        scope = re.search(r"IN SCHEMA (\S+)", sql)
        if scope and scope[1].upper() not in self.comments:
            raise LookupError(scope[1])
        pattern = match[2].upper().replace("_", ".")  # LIKE takes "_" for any character
        rows = [
            [name, comment]
            for (kind, name), comment in self.objects.items()
            if kind == match[1] and re.fullmatch(pattern, name)
        ]
        return ["name", "comment"], rows

    def _create_marked(self, sql: str, _binds: object, connection: Any) -> Any:
        """DuckDB keeps no comments of databases and schemas."""
        match = re.match(r"CREATE (DATABASE|SCHEMA) IF NOT EXISTS ([\w.]+)", sql)
        assert match is not None
        name = match[2].upper()
        if name in self.comments:
            return ["status"], [[f"{name} already exists, statement succeeded."]]
        self.comments[name] = _comment(sql)
        self.dropped.discard(name)
        connection.cursor().execute(match[0])
        return ["status"], [[f"{match[1].title()} {name} successfully created."]]

    def _show_marked(self, sql: str, _binds: object, connection: Any) -> Any:
        scope = re.search(r"IN DATABASE (\w+)", sql)
        before = f"{scope[1].upper()}." if scope else ""
        cursor = connection.cursor()
        cursor.execute(re.sub(r" LIKE '\w+'", "", sql))
        column = [item.name for item in cursor.description].index("name")
        names = [row[column] for row in cursor.fetchall() if row[column] not in self.dropped]
        return ["name", "comment"], [[name, self.comments.get(before + name)] for name in names]

    def _show_others(self, sql: str, _binds: object, _connection: object) -> Any:
        match = re.match(r"SHOW (.*) IN SCHEMA (\S+)", sql)
        assert match is not None
        names = self.others.get((match[1], match[2].upper()), [])
        return ["name"], [[name] for name in names]

    def _show_services(self, *_: object) -> Any:
        return ["database_name", "schema_name", "name"], [[*each] for each in self.services]


def of_database(name: str, **changes: object) -> SnowflakeProvisioner:
    """An installation with names of the account as they are by default."""
    raw = {"connection": CONNECTION, "timeout_s": 2, "egress": {"hosts": ["pypi.org:443"]}}
    settings = SnowflakeBackend.model_validate(
        {"kind": "snowflake", "database": name, **raw, **changes}
    )
    return SnowflakeProvisioner(SessionSource(settings))


def names(rows: Sequence[Any]) -> list[str]:
    return sorted(str(row["name"]) for row in rows)


def _comment(sql: str) -> str:
    match = re.search(r"COMMENT = '([^']*)'", sql)
    return match[1] if match else ""


def _hosts(sql: str) -> str:
    match = re.search(r"VALUE_LIST = \((.*?)\)", sql)
    return match[1] if match else ""
