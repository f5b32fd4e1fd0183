"""Who may do what in the account: what the grants that setup runs allow, and nothing else.

Sessions without role, and those in the role that setup takes, may do everything; of each other
role all that it was not granted is refused, statements that are not known here too. An object
belongs to the role that made it. Where a session has not put its secondary roles aside, what any
role may is allowed but for making objects. It is a model of Snowflake's rules, not Snowflake: of
roles of roles it knows what SHOW lists, and what a job does inside a container is not in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.dialect import WAREHOUSE
from tests.backends.snowflake.peer.needs import (
    ACCOUNT,
    ANY_WAREHOUSE,
    ITSELF,
    MAY_USE_PYPI,
    NAME,
    OWNED_IF_THERE,
    Need,
    made_by,
    needs_of,
    stored,
)
from tests.backends.snowflake.peer.statement import SqlError, missing

_OF_OTHERS = ("INTEGRATION", "IMAGE REPOSITORY", "ARTIFACT REPOSITORY")
"""Kinds of objects on which setup may grant nothing unless it has made them."""
PUBLIC = "PUBLIC"
_GRANT = re.compile(
    r"^GRANT (?P<privileges>.+?) ON (?P<kind>(?:ALL |FUTURE )?[A-Z ]+?)(?P<scope> IN SCHEMA)? "
    r"(?P<name>[\w.$]+) TO ROLE (?P<role>\w+)$",
    re.IGNORECASE,
)


class Privileges:
    """The account's grants. A peer's guard."""

    def __init__(self, peer: Peer, *, setup: str = "LUNGREG_SETUP") -> None:
        self._setup = setup
        self._held: dict[tuple[str, str], set[str]] = defaultdict(set)
        """By role and object, the privileges."""
        self._future: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """By schema, role and privilege on the models that come."""
        self._kinds: dict[str, str] = {}
        """Kind of each object that something was granted on, as SHOW GRANTS spells it."""
        self._owners: dict[str, str] = {}
        self._models: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        """Roles and the statements that they were refused."""
        self.give(PUBLIC, "USAGE", "SNOWFLAKE", kind="DATABASE")
        self.give(PUBLIC, "USAGE", MAY_USE_PYPI, kind="DATABASE_ROLE")
        peer.guard = self
        self._peer_roles = peer.roles
        self._made_by_setup: set[str] = set()
        """Integrations; on those of others setup has nothing to grant."""
        peer.on(r"^SHOW STAGES IN SCHEMA", _shown)
        peer.on(r"^SHOW GRANTS TO ROLE", self._show_grants)
        peer.on(r"^SHOW FUTURE GRANTS TO ROLE", self._show_future_grants)

    def check(self, sql: str, binds: Sequence[Any], role: str | None, *, alone: bool) -> None:
        """Let a statement pass, or refuse it; grants and new objects are noted."""
        named = re.sub(r"identifier\(\?\)", lambda _: str(binds[0]), sql, flags=re.IGNORECASE)
        text = " ".join(named.split())
        if role in (None, self._setup):
            self._note_integration(text)
            self._note_grant(text)
            return
        try:
            for need in needs_of(text):
                self._require_of_any(str(role), need, alone=alone)
        except SqlError:
            self.refused.append((str(role), text))
            raise
        self._note_new(text, str(role))

    def take(self, role: str, privilege: str, name: str) -> None:
        """Take a privilege on an object from a role, as an administrator would."""
        self._held[role, name].discard(privilege)

    def take_future(self, role: str, privilege: str, schema: str) -> None:
        """Take a privilege on the models to come in a schema."""
        self._future[schema].discard((role, privilege))

    def give_future(self, role: str, privilege: str, schema: str) -> None:
        """Grant a privilege on the models to come in a schema."""
        self._future[schema].add((role, privilege))

    def give(self, role: str, privilege: str, name: str, *, kind: str = "") -> None:
        """Grant a role a privilege on an object, of a kind that is told where it is new."""
        self._kinds.setdefault(name, kind)
        self._held[role, name].add(privilege)

    def made_by(self, role: str, name: str) -> None:
        """Note the owner of an object; `name` is full, in capitals."""
        self._owners[name] = role

    def warehouse(self, role: str | None) -> str | None:
        """The warehouse of a session; none where its role may not use it."""
        is_free = role in (None, self._setup)
        return WAREHOUSE if is_free or "USAGE" in self._held[str(role), WAREHOUSE] else None

    def visible(self, sql: str, role: str | None, answer: Answer) -> Answer:
        """Rows of SHOW about objects that the role has a privilege on.

        The role of setup too sees what other roles have made only where it is granted these roles:
        owning the schema is not enough.
        """
        match = re.match(
            rf"\s*SHOW (STAGES|MODELS|COMPUTE POOLS)\b(?:.* IN SCHEMA {NAME})?", sql, re.IGNORECASE
        )
        if match is None or role is None:
            return answer
        names, rows = answer
        column = [*names].index("name")
        before = f"{stored(match['name'])}." if match["name"] else ""
        return names, [row for row in rows if self._sees(str(role), f"{before}{row[column]}")]

    def _require_of_any(self, role: str, need: Need, *, alone: bool) -> None:
        others = {each for each, _ in self._held} - {role}
        if not alone and not need.privilege.startswith("CREATE "):
            for other in others:
                with suppress(SqlError):
                    self._require(other, need)
                    return
        self._require(role, need)

    def _require(self, role: str, need: Need) -> None:
        if need.privilege in (ANY_WAREHOUSE, ITSELF):
            self._require_of_session(role, need)
            return
        if need.privilege == OWNED_IF_THERE and not self._sees(role, need.name):
            return
        for parent in _parents(need.name):
            if "USAGE" not in self._of(role, parent):
                raise missing(parent)
        held = self._of(role, need.name)
        if (
            self._owner(need.name) == role
            or need.privilege in held
            or (held and not need.privilege)
        ):
            return
        if need.name != ACCOUNT and not self._sees(role, need.name):
            raise missing(need.name)
        text = f"SQL access control error:\nInsufficient privileges to operate on '{need.name}'."
        raise SqlError(3001, "42501", text)

    def _show_grants(self, sql: str, *_: object) -> Answer:
        role = stored(sql.rsplit(maxsplit=1)[-1])
        rows = [
            [privilege, self._kinds.get(name, name), name]
            for (holder, name), privileges in self._held.items()
            for privilege in sorted(privileges)
            if holder == role
        ]
        return ["privilege", "granted_on", "name"], rows

    def _show_future_grants(self, sql: str, *_: object) -> Answer:
        role = stored(sql.rsplit(maxsplit=1)[-1])
        rows = [
            [privilege, "MODEL", f"{schema}.<MODEL>"]
            for schema, granted in self._future.items()
            for holder, privilege in sorted(granted)
            if holder == role
        ]
        return ["privilege", "grant_on", "name"], rows

    def _require_of_session(self, role: str, need: Need) -> None:
        """A warehouse to compute on, or that a question is about the session's own role."""
        if need.privilege == ANY_WAREHOUSE and self.warehouse(role) is None:
            raise SqlError(606, "57P03", "No active warehouse selected in the current session.")
        is_own = need.name in (role, PUBLIC) or "USAGE" in self._held[role, need.name]
        if need.privilege == ITSELF and not is_own:
            raise missing(need.name, "Role")

    def _of(self, role: str, name: str) -> set[str]:
        """The privileges of a role on an object, with those of PUBLIC, which every role has."""
        return self._held[role, name] | self._held[PUBLIC, name]

    def _sees(self, role: str, name: str) -> bool:
        roles = self._peer_roles.had_by(role)
        owner = self._owner(name.upper())
        if role == self._setup and owner is None:
            return True  # it made what no other role has made
        return owner in roles or any(self._held[each, name.upper()] for each in roles)

    def _owner(self, name: str) -> str | None:
        """Of an object, or of what is known by its last part alone, as temporary things are."""
        return self._owners.get(name) or self._owners.get(name.rpartition(".")[2])

    def _note_integration(self, text: str) -> None:
        if match := re.match(r"CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS (\w+)", text):
            self._made_by_setup.add(match[1].upper())

    def _note_grant(self, text: str) -> None:
        match = _GRANT.match(text)
        if match is None:
            return
        role, name, kind = match["role"].upper(), stored(match["name"]), match["kind"].upper()
        if kind in _OF_OTHERS and name not in self._made_by_setup:
            return
        for privilege in match["privileges"].upper().split(", "):
            if kind.startswith("FUTURE "):
                self._future[name].add((role, privilege))
            elif kind.startswith("ALL "):
                for model in self._models:
                    if model.startswith(f"{name}."):
                        self._held[role, model].add(privilege)
            else:
                self._kinds[name] = kind.replace(" ", "_")
                self._held[role, name].add(privilege)

    def _note_new(self, text: str, role: str) -> None:
        for name, kind, is_temporary in made_by(text):
            key = name.rpartition(".")[2] if is_temporary else name
            self._owners.setdefault(key, role)
            if kind == "MODEL":
                self._models.add(name)
                for other, privilege in self._future[name.rpartition(".")[0]]:
                    self._held[other, name].add(privilege)


def _parents(name: str) -> list[str]:
    """Database and schema of an object."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, min(len(parts), 3))]


def _shown(sql: str, _: object, connection: Any) -> Answer:
    cursor = connection.cursor()
    cursor.execute(sql)
    return [item.name for item in cursor.description], cursor.fetchall()
