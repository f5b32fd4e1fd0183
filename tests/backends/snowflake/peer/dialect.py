"""What the client says and fakesnow does not understand, said so that it does."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow.parquet as pq

from tests.backends.snowflake.peer.stages import Stages
from tests.backends.snowflake.peer.statement import Answer, SqlError

IS_FILES = re.compile(
    r"^\s*(PUT|GET|LIST|LS|REMOVE|RM|ALTER\s+STAGE\s+\S+\s+REFRESH)(\s|$)", re.IGNORECASE
)
IS_UNLOAD = re.compile(r"^\s*COPY\s+INTO\s+'?@", re.IGNORECASE)
IS_WRITE = re.compile(
    r"^\s*(INSERT|UPDATE|DELETE|MERGE|CREATE|ALTER|DROP|TRUNCATE)\b", re.IGNORECASE
)
IS_DROP = re.compile(
    r"^\s*(DROP|ALTER(?!\s+STAGE\s+\S+\s+REFRESH)|CREATE\s+OR\s+REPLACE)\b", re.IGNORECASE
)
SET_TAG = re.compile(r"^\s*ALTER\s+SESSION\s+SET\s+QUERY_TAG\s*=\s*'(.*)'\s*;?\s*$", re.I | re.S)
WAREHOUSE = "LUNGREG_WH"
"""The one that every session has here, unless its role may not use it."""
IS_IGNORED = re.compile(
    r"^\s*(ALTER\s+SESSION|SELECT\s+SYSTEM\$CANCEL_ALL|USE\s+SECONDARY)", re.IGNORECASE
)
_UNLOAD = re.compile(
    r"\s*COPY\s+INTO\s+'?(@[^\s']+)'?\s+FROM\s*\((.*)\)\s*FILE_FORMAT", re.I | re.S
)
_STAGE_WITH_SSE = re.compile(
    r"^\s*CREATE\s+STAGE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+\.\w+\.\w+)\s.*SNOWFLAKE_SSE", re.I | re.S
)
_NO_COLUMN = re.compile(
    r"Binder Error: (Referenced (update )?column|Table .* does not have a column)"
)
DONE: Answer = (["status"], [["Statement executed successfully."]])
_RESULT = re.compile(r"\bTABLE\(\s*RESULT_SCAN\('([^']+)'\)\s*\)", re.IGNORECASE)


def adapted(sql: str, connection: Any, warehouse: str | None = WAREHOUSE) -> str:
    """The statement as fakesnow can run it, in a session that has a warehouse or none."""
    shown = "NULL" if warehouse is None else f"'{warehouse}'"
    sql = re.sub(r"\bCURRENT_WAREHOUSE\(\)", shown, sql, flags=re.IGNORECASE)
    if re.search(r"\bFROM\s+VALUES\b", sql, re.IGNORECASE):
        sql = re.sub(r"\$(\d+)\b", r"COLUMN\1", sql)
    sql = re.sub(
        r"^(\s*CREATE\s+(?:(?:SCOPED\s+)?(?:TEMP|TEMPORARY)\s+)?TABLE\s+)(\S+)\s+IF\s+NOT\s+EXISTS",
        r"\1IF NOT EXISTS \2",
        sql,
        flags=re.IGNORECASE,
    )
    sql = re.sub(r"\bSCOPED\s+(TEMP)", r"\1", sql, flags=re.IGNORECASE)
    sql = re.sub(r"(\bVIEW\s+\S+)\s+COPY\s+GRANTS\b", r"\1", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\s+WITH\s+MANAGED\s+ACCESS\b", "", sql, flags=re.IGNORECASE)
    # DuckDB keeps temporary tables in a database of their own: one with a full name is a plain one.
    sql = re.sub(
        r"^(\s*CREATE\s+(?:OR\s+REPLACE\s+)?)TEMP(?:ORARY)?\s+(TABLE\s+\w+\.)",
        r"\1\2",
        sql,
        flags=re.IGNORECASE,
    )
    if "LAST_QUERY_ID()" in sql.upper() and connection.results_cache:
        last = [*connection.results_cache][-1]
        sql = re.sub(r"LAST_QUERY_ID\(\)", f"'{last}'", sql, flags=re.IGNORECASE)
    return _RESULT.sub(lambda found: _asked_again(found, connection), sql)


def _asked_again(found: re.Match[str], connection: Any) -> str:
    """The rows of an earlier answer; those that fakesnow gave it finds itself."""
    kept = connection.results_cache.get(found[1])
    return f"({kept})" if isinstance(kept, str) else found[0]


def renumbered(body: bytes) -> bytes:
    """The answer with Snowflake's number for a column that does not exist.

    fakesnow answers with that of a missing object.
    """
    if b"Binder Error" not in body:
        return body
    answer = json.loads(body)
    if not answer.get("success") and _NO_COLUMN.search(str(answer.get("message"))):
        answer["code"] = "000904"
        answer["data"] = {**(answer.get("data") or {}), "errorCode": "000904", "sqlState": "42000"}
        return json.dumps(answer).encode()
    return body


def note_encryption(sql: str, connection: Any) -> None:
    """Let SHOW STAGES have the type of encryption of a stage that was just made."""
    if match := _STAGE_WITH_SSE.match(sql):
        connection._duck_conn.execute(
            "UPDATE _fs_global._fs_information_schema._fs_stages SET type = 'INTERNAL NO CSE' "
            "WHERE CONCAT_WS('.', database_name, schema_name, name) = ?",
            [match[1].upper()],
        )


def unload(sql: str, connection: Any, stages: Stages) -> Answer:
    """Run `COPY INTO @stage FROM (query)` into one parquet file; the answer to it."""
    match = _UNLOAD.match(sql)
    if match is None:
        raise SqlError(1003, "42000", f"SQL compilation error:\nno unload of a query: {sql}")
    place = stages.place(match[1], connection)
    cursor = connection.cursor()
    cursor.execute(adapted(match[2], connection))
    table = cursor._arrow_table
    file = place.folder / place.path.strip("/") / "data_0_0_0.snappy.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    row = [table.num_rows, 0, file.stat().st_size]
    return ["rows_unloaded", "input_bytes", "output_bytes"], [row]
