"""The role of each session: that of its login, until it takes another.

A user's other roles count too, as they do in an account, until the session puts them aside.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

import fakesnow.server

from tests.backends.snowflake.peer.statement import Answer

_USE_ROLE = re.compile(r'^\s*USE\s+ROLE\s+"?([^"\s;]+)"?\s*;?\s*$', re.IGNORECASE)


_GRANT_ROLE = re.compile(r"^\s*GRANT\s+ROLE\s+(\w+)\s+TO\s+ROLE\s+(\w+)\s*;?\s*$", re.I)
_SECONDARY = re.compile(r"^\s*USE\s+SECONDARY\s+ROLES\s+(ALL|NONE)\s*;?\s*$", re.IGNORECASE)


class Guard(Protocol):
    """Who may do what, and what they are shown."""

    def check(self, sql: str, binds: Sequence[Any], role: str | None, *, alone: bool) -> None:
        """Raise `SqlError` for a statement that the role may not run.

        Not alone, it may do what the user's other roles may, but make objects.
        """

    def warehouse(self, role: str | None) -> str | None:
        """The warehouse of a session of this role."""

    def visible(self, sql: str, role: str | None, answer: Answer) -> Answer:
        """What the role is shown of an answer."""


class Roles:
    """By token, as clients name them; a session without role has none."""

    def __init__(self) -> None:
        self._roles: dict[str, str] = {}
        self.containers: dict[str, str | None] = {}
        """By a container's token, the role of its job."""
        self.granted: set[tuple[str, str]] = set()
        """Roles, and the roles that were granted them."""
        self._alone: set[str] = set()
        """Sessions without secondary roles."""
        self.known: Callable[[], Collection[str]] | None = None
        """The roles that the account has; None where a session may take any."""

    def refusal(self, query: bytes) -> tuple[str, str] | None:
        """Code and text for a login that asks for a role which the account does not have."""
        asked = _asked(query)
        if not asked or self.known is None or asked in self.known():
            return None
        text = f"Role '{asked}' specified in the connect string does not exist or not authorized."
        return "390189", text

    def log_in(self, query: bytes, given: dict[str, Any], data: dict[str, Any]) -> None:
        """Give a session the role that its client asks for, and send it to the client.

        A container's token is for the role that owns its job, and for no other.
        """
        if given.get("TOKEN") in self.containers:
            self._alone.add(data["token"])
        if asked := self.containers.get(given.get("TOKEN", "")) or _asked(query):
            self._roles[data["token"]] = asked
            data["sessionInfo"]["roleName"] = asked

    def of(self, token: str) -> str | None:
        """The role of a session."""
        return self._roles.get(token)

    def had_by(self, role: str | None) -> set[str]:
        """A role, and all whose privileges it has because it was granted them."""
        had = {str(role)}
        while more := {low for low, high in self.granted if high in had} - had:
            had |= more
        return had

    def is_alone(self, token: str) -> bool:
        """Whether a session has put its secondary roles aside."""
        return token in self._alone

    def token_of(self, connection: object) -> str:
        """The token of a session, by the connection that runs its statements."""
        known = fakesnow.server.sessions.items()
        return next((token for token, each in known if each is connection), "")

    def of_connection(self, connection: object) -> str | None:
        """The role of a session, by the connection that runs its statements."""
        return self.of(self.token_of(connection))

    def noted(self, sql: str, token: str, body: bytes) -> bytes:
        """The answer to a statement, with the role that it changed."""
        if match := _SECONDARY.match(sql):
            change = self._alone.add if match[1].upper() == "NONE" else self._alone.discard
            change(token)
        if (match := _GRANT_ROLE.match(sql)) and json.loads(body).get("success"):
            self.granted.add((match[1].upper(), match[2].upper()))
        match = _USE_ROLE.match(sql)
        if match is None:
            return body
        content: dict[str, Any] = json.loads(body)
        if content.get("success"):
            self._roles[token] = match[1].upper()
            content["data"]["finalRoleName"] = match[1].upper()
        return json.dumps(content).encode()


def _asked(query: bytes) -> str:
    """The role of a login's address, in capitals; empty where it names none."""
    return parse_qs(query.decode()).get("roleName", [""])[0].upper()
