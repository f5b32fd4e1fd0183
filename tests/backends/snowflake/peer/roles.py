"""The role of each session: that of its login, until it takes another."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

import fakesnow.server

_USE_ROLE = re.compile(r'^\s*USE\s+ROLE\s+"?([^"\s;]+)"?\s*;?\s*$', re.IGNORECASE)


class Roles:
    """By token, as clients name them; a session without role has none."""

    def __init__(self) -> None:
        self._roles: dict[str, str] = {}

    def log_in(self, query: bytes, data: dict[str, Any]) -> None:
        """Give a session the role that its client asks for, and send it to the client."""
        asked = parse_qs(query.decode()).get("roleName", [""])[0]
        if asked:
            self._roles[data["token"]] = asked.upper()
            data["sessionInfo"]["roleName"] = asked.upper()

    def of(self, token: str) -> str | None:
        """The role of a session."""
        return self._roles.get(token)

    def of_connection(self, connection: object) -> str | None:
        """The role of a session, by the connection that runs its statements."""
        known = fakesnow.server.sessions.items()
        return next((self.of(token) for token, each in known if each is connection), None)

    def noted(self, sql: str, token: str, body: bytes) -> bytes:
        """The answer to a statement, with the role that it changed."""
        match = _USE_ROLE.match(sql)
        if match is None:
            return body
        content: dict[str, Any] = json.loads(body)
        if content.get("success"):
            self._roles[token] = match[1].upper()
            content["data"]["finalRoleName"] = match[1].upper()
        return json.dumps(content).encode()
