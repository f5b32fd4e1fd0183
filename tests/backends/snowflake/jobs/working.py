"""Jobs that really run: the payload's start script, in a process that has a container's token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.backends.snowflake.jobs.service import JobService
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.server import connection_of

_CONTAINER = """
import json, os
from pathlib import Path
from lungreg.backends.snowflake.connection import login
login.TOKEN_FILE = Path(os.environ["PEER_TOKEN"])
login.CONTAINER_OPTIONS = json.loads(os.environ["PEER_OPTIONS"])
"""
"""Runs at the start of each Python of a job: the token lies elsewhere, the peer speaks HTTP."""
_LAUNCH = """
import sys
from pathlib import Path
import start
start.install = lambda *_: None  # lungreg is there: it is this one
start.main(sys.argv[1:], Path.cwd())
"""


class WorkingJobs(JobService):
    """Starts each job that is submitted; its status and log are those of the process."""

    def __init__(self, peer: Peer, folder: Path) -> None:
        super().__init__(peer)
        self._peer = peer
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def stop(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _execute(self, sql: str, binds: object, connection: Any) -> Any:
        answer = super()._execute(sql, binds, connection)
        job = self.submitted[-1]
        name = str(job["name"]).rpartition(".")[2].removesuffix("_")
        (start,) = self._peer.stages.root.rglob(f"{name}/app/start.py")
        container = self._folder / name
        container.mkdir(parents=True)
        (container / "sitecustomize.py").write_text(_CONTAINER)
        token = f"a token of the container of {name}"
        (container / "token").write_text(token)
        self._peer.roles.containers[token] = self._peer.roles.of_connection(connection)
        options = {key: connection_of(self._peer)[key] for key in ("protocol", "port")}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SNOWFLAKE_")}
        environment = {
            **kept,
            **job["spec"]["ENV_VARS"],
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_ACCOUNT": "lungreg",
            "SNOWFLAKE_JOB_INDEX": "0",
            "SNOWFLAKE_JOBS_COUNT": "1",
            "PEER_TOKEN": str(container / "token"),
            "PEER_OPTIONS": json.dumps(options),
            "PYTHONPATH": os.pathsep.join([str(container), os.environ.get("PYTHONPATH", "")]),
        }
        given = job["spec"]["ARGS"]
        arguments = given[[Path(each).name for each in given].index("start.py") + 1 :]
        with (container / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", _LAUNCH, *arguments],
                cwd=start.parent,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        self._log_file = container / "log"
        return answer

    def _describe(self, *asked: Any) -> Any:
        code = self._processes[-1].poll()
        self.statuses = ["RUNNING" if code is None else "FAILED" if code else "DONE"]
        return super()._describe(*asked)

    def _log(self, *_: object) -> Any:
        return ["log"], [[self._log_file.read_text()]]
