"""A loopback peer: what Snowflake's own clients talk to in tests, instead of an account.

fakesnow's HTTP server runs the SQL in DuckDB. Around it stands what it lacks: stages whose files
travel over HTTP, canned answers for statements that only a real account can run, and knobs that
drop connections, expire tokens and refuse privileges. Every statement is recorded, so that a test
can read what left the client.

Who may do what it asks a guard, where a test gives it one: `privileges.py` models the grants that
setup runs.

What it cannot show: privileges beyond that model, encryption, `SKIPPED` uploads, the exact form of
LIST's names in an account, and anything inside Snowpark Container Services. Its regular expressions
are a model of Snowflake, not Snowflake.
"""

from __future__ import annotations

from tests.backends.snowflake.peer.app import Peer
from tests.backends.snowflake.peer.server import running_peer
from tests.backends.snowflake.peer.statement import Statement

__all__ = ["Peer", "Statement", "running_peer"]
