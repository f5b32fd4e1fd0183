"""What an account has outside its databases, as answers of the peer."""

from __future__ import annotations

import re
from typing import Any

from lungreg.backends.snowflake.setup.statement import MARK
from tests.snowflake.peer import Peer
from tests.snowflake.peer.statement import SqlError

ACCOUNT_KINDS = ("WAREHOUSE", "COMPUTE POOL", "INTEGRATION", "ROLE", "NETWORK RULE")


class Account:
    """What the peer lacks: objects outside databases, kept as (kind, name) with a comment."""

    def __init__(self, peer: Peer) -> None:
        self.objects: dict[tuple[str, str], str] = {}
        self.comments: dict[str, str] = {}
        done = (["status"], [["done"]])
        peer.on(r"^use role", lambda *_: done)
        peer.on(r"^GRANT ", lambda *_: done)
        peer.on(r"^ALTER COMPUTE POOL", lambda *_: done)
        kinds = "|".join(ACCOUNT_KINDS)
        form = rf"^CREATE (EXTERNAL ACCESS )?({kinds}) (IF NOT EXISTS )?(?P<name>\S+)"
        peer.on(form, self._create)
        peer.on(rf"^DROP ({kinds}) IF EXISTS", self._drop)
        peer.on(rf"^SHOW ({kinds})S LIKE", self._show)
        peer.on(r"^SHOW (DATABASES|SCHEMAS) LIKE", self._show_marked)
        peer.on(r"^SHOW MODELS IN", lambda *_: (["name"], []))
        peer.on(r"^DROP DATABASE", lambda *_: done)  # DuckDB drops schemas only

    def _create(self, sql: str, _binds: object, _connection: object) -> Any:
        kinds = "|".join(ACCOUNT_KINDS)
        form = rf"CREATE (?:EXTERNAL ACCESS )?({kinds}) (IF NOT EXISTS )?([\w.]+) "
        match = re.match(form, sql)
        assert match is not None
        key = (match[1], match[3].rpartition(".")[2].upper())
        if key in self.objects and not match[2]:
            raise SqlError(2002, "42710", f"Object '{key[1]}' already exists.")
        comment = re.search(r"COMMENT = '([^']*)'", sql)
        self.objects.setdefault(key, comment[1] if comment else "")
        return ["status"], [["done"]]

    def _drop(self, sql: str, _binds: object, _connection: object) -> Any:
        match = re.match(r"DROP (.*) IF EXISTS (\w+)", sql)
        assert match is not None
        self.objects.pop((match[1], match[2].upper()), None)
        return ["status"], [["done"]]

    def _show(self, sql: str, _binds: object, _connection: object) -> Any:
        match = re.match(r"SHOW (.*)S LIKE '(\w+)'", sql)
        assert match is not None
        pattern = match[2].upper().replace("_", ".")  # LIKE takes "_" for any character
        rows = [
            [name, comment]
            for (kind, name), comment in self.objects.items()
            if kind == match[1] and re.fullmatch(pattern, name)
        ]
        return ["name", "comment"], rows

    def _show_marked(self, sql: str, _binds: object, connection: Any) -> Any:
        """DuckDB keeps no comments of databases and schemas."""
        cursor = connection.cursor()
        cursor.execute(re.sub(r" LIKE '\w+'", "", sql))
        column = [item.name for item in cursor.description].index("name")
        names = [row[column] for row in cursor.fetchall()]
        return ["name", "comment"], [[name, self.comments.get(name, MARK)] for name in names]
