"""The part of an account that runs ML Jobs, as answers of the peer."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.statement import SqlError

IMAGE = "/snowflake/images/snowflake_images/container_runtime/gpu_x86_64"
SPEC = "spec:\n  containers:\n  - name: main\n    env: {}\n  volumes: []\n"


class JobService:
    """Takes jobs, and reports of them what a test has set: status by status, log by log.

    `statuses` and `logs` are reported one after the other, the last one for ever.
    """

    def __init__(self, peer: Peer, *, max_nodes: int = 4) -> None:
        self.submitted: list[dict[str, Any]] = []
        self.statuses = ["PENDING"]
        self.exists = True
        self.has_log = True
        self.logs = [""]
        self.cancelled: list[str] = []
        pool = ["LUNGREG_GPU", max_nodes, 0, 0, "GPU_NV_S"]
        names = ["name", "max_nodes", "active_nodes", "idle_nodes", "instance_family"]
        peer.on(r"SYSTEM\$GET_ML_JOB_RUNTIME", _image)
        peer.on(r"SYSTEM\$EXECUTE_ML_JOB", self._execute)
        peer.on(r"^SHOW COMPUTE POOLS LIKE", lambda *_: (names, [pool]))
        peer.on(r"^DESCRIBE STAGE", lambda *_: (["property"], [["URL"]]))
        peer.on(r"^DESCRIBE SERVICE", self._describe)
        peer.on(r"^SHOW SERVICE INSTANCES", self._instances)
        peer.on(r"SYSTEM\$GET_SERVICE_LOGS", self._log)
        peer.on(r"!spcs_get_logs", self._no_log)
        peer.on(r"^SHOW PARAMETERS LIKE 'event_table'", lambda *_: (["value"], [["EVENTS"]]))
        peer.on(r"^SELECT VALUE FROM IDENTIFIER", lambda *_: (["VALUE"], []))
        self.history: list[tuple[str, str, str, datetime]] = []
        """Name, status, pool and time of the jobs that the account lists."""
        peer.on(r"snowflake\.spcs\.get_job_history", self._history)
        peer.on(r"!spcs_cancel_job", self._cancel)

    def _execute(self, sql: str, _binds: object, _connection: object) -> Any:
        inside = sql[sql.index("(") + 1 : sql.rindex(")")]
        name, pool, spec, job = (part.strip("'") for part in inside.split("', '"))
        unescaped = [text.replace('\\"', '"').replace("\\\\", "\\") for text in (spec, job)]
        spec, job = (json.loads(text) for text in unescaped)
        self.submitted.append({"name": name, "pool": pool, "spec": spec, "job": job})
        return ["id"], [[f"{name}8A2B"]]

    def _log(self, *_: object) -> Any:
        if not self.has_log:
            raise SqlError(2003, "02000", "There is no container.")
        return ["log"], [[self._next(self.logs)]]

    def _history(self, sql: str, _binds: object, _connection: object) -> Any:
        raw = ["NAME", "STATUS", "MESSAGE", "DATABASE_NAME", "SCHEMA_NAME", "OWNER"]
        raw += ["COMPUTE_POOL_NAME", "PARAMETERS", "CREATED_TIME", "COMPLETED_TIME"]
        shown = ["name", "status", "message", "database_name", "schema_name", "owner"]
        shown += ["compute_pool", "target_instances", "created_time", "completed_time"]
        rows = [
            [name, status, "", "D", "UTILS", "ME", pool, 1, created, None]
            for name, status, pool, created in self.history
        ]
        limit = re.search(r"RESULT_LIMIT\s*=>\s*(\d+)", sql, re.IGNORECASE)
        latest = sorted(rows, key=lambda row: row[8], reverse=True)
        # The client first asks for the columns, then wraps its question.
        columns = shown if '"created_time"' in sql else raw
        return columns, latest[: int(limit[1]) if limit else 100]

    def _no_log(self, *_: object) -> Any:
        raise SqlError(2143, "02000", "Logs are not kept.")

    def _describe(self, *_: object) -> Any:
        if not self.exists:
            raise LookupError(self.statuses[0])
        # The client asks once for the specification and once for the status.
        return ["name", "status", "spec", "target_instances"], [["JOB", self.statuses[0], SPEC, 1]]

    def _instances(self, *_: object) -> Any:
        return ["instance_id", "status", "start_time"], [["0", "READY", "2026-11-22"]]

    def _cancel(self, sql: str, _binds: object, _connection: object) -> Any:
        self.cancelled.append(sql)
        self.statuses = ["CANCELLED"]
        return ["status"], [["done"]]

    def _next(self, left: list[str]) -> str:
        if len(self.statuses) > 1:
            self.statuses.pop(0)
        return left.pop(0) if len(left) > 1 else left[0]


def _image(sql: str, *_: object) -> Any:
    """The image of a tag in full, or of the default for the client's Python.

    A tag without Python is that of 3.10; a short one leads nowhere.
    """
    asked = json.loads(sql[sql.index("{") : sql.rindex("}") + 1])
    tag = asked.get("runtimeEnvironment") or f"2.6.0-py{asked['pythonVersion'].replace('.', '')}"
    if not re.search(r"(^|:)\d+\.\d+\.\d+(-py3\d+)?$", tag):
        raise SqlError(395000, "22023", f"Runtime '{tag}' is not available.")
    return ["image"], [[tag if ":" in tag else f"{IMAGE}:{tag}"]]
