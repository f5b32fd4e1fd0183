"""The part of an account that runs batch inference jobs, with workers that really predict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError

_ORDER = re.compile(
    r"IN COMPUTE POOL (?P<pool>\S+)\s+WITH SPECIFICATION '(?P<spec>.*)'\s+FROM (?P<source>\S+)\s+"
    r"MODEL = (?P<model>\S+)\s+VERSION = (?P<version>\S+)\s+FUNCTION = '(?P<function>\w+)'\s+"
    r"NAME = (?P<name>\S+)\s+ASYNC = TRUE\s+REPLICAS = (?P<replicas>\d+)",
    re.DOTALL,
)
_SPEC = "spec:\n  containers:\n  - name: main\n    env: {}\n  volumes: []\n"
WORKER = Path(__file__).with_name("worker.py")


@dataclass
class BatchService:
    """Takes batch jobs. A job's worker is a process of its own, started with the job.

    `statuses` are reported first, one after the other, `final` once the worker has ended.
    """

    peer: Peer
    statuses: list[str] = field(default_factory=lambda: ["PENDING", "RUNNING"])
    final: str = "DONE"
    works: bool = True
    """Whether workers do anything."""
    compiles: bool = True
    """Whether workers have numba, which compiles a model's code anew in each."""
    builds: bool = False
    """Whether an image is built before a job is there, until `end_build`."""
    heeds_cancel: bool = True
    """Whether a statement that is cancelled ends, and its job never comes."""
    refusal: str = ""
    """What is said of the name of a job, which is not started."""
    loses_answer: bool = False
    """Whether the session runs out while the first job is being taken."""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._workers: list[subprocess.Popen[str]] = []
        self._coming: list[dict[str, Any]] = []
        self.peer.on(r"^\s*EXECUTE INFERENCE JOB SERVICE", self._execute)
        self.peer.on(r"^DESCRIBE SERVICE", self._describe)
        self.peer.on(r"snowflake\.spcs\.get_job_history", self._history)
        self.peer.on(r"!spcs_cancel_job", self._cancel)
        self.peer.on(r"SYSTEM\$CANCEL_QUERY", self._cancel_query)

    def end_build(self) -> None:
        """The image is there: statements that waited for it end, and their jobs start."""
        coming, self._coming = self._coming, []
        self.builds = self.peer.mischief.holds_queries = False
        for job in coming:
            self._take(job)

    def _execute(self, sql: str, _binds: object, connection: Any) -> Answer:
        match = _ORDER.search(sql)
        if match is None:
            raise LookupError(sql)
        spec = yaml.safe_load(re.sub(r"\\(.)", r"\1", match["spec"]))
        source = self.peer.stages.place(match["source"], connection)
        target = self.peer.stages.place(spec["output"]["stage_location"], connection)
        name = match["name"]
        if any(job["name"] == name for job in self.jobs):
            raise SqlError(2002, "42710", f"Object '{name}' already exists.")
        if self.refusal:
            raise SqlError(3041, "42710", f"SQL compilation error:\nObject '{name}' {self.refusal}")
        job = {
            "name": name,
            "pool": match["pool"],
            "replicas": int(match["replicas"]),
            "spec": spec,
            "model": str(self.peer.stages.model_folder(match["model"], match["version"])),
            "input": str(source.folder / source.path.strip("/")),
            "stages": str(self.peer.stages.root),
            "columns": spec["input"]["column_handling"],
            "params": spec["input"]["params"],
            "rows_at_once": spec["inference"]["max_batch_rows"],
            "output": str(target.folder / target.path.strip("/") / name.rpartition(".")[2]),
        }
        if self.builds:
            self.peer.mischief.holds_queries = True
            self._coming.append(job)
        else:
            self._take(job)
        if self.loses_answer:
            self.loses_answer = False
            raise SqlError(390112, "08001", "Session no longer exists.")
        return ["status"], [[f"Batch inference job {name} submitted successfully."]]

    def _take(self, job: dict[str, Any]) -> None:
        self.jobs.append(job)
        if self.works:
            self._workers.append(self.start_worker(job))

    def _cancel_query(self, *_: object) -> Answer:
        if self.heeds_cancel:
            self._coming.clear()
            self.peer.mischief.holds_queries = False
        return ["status"], [["query terminated."]]

    def _describe(self, _sql: str, binds: Sequence[Any], _connection: object) -> Answer:
        names = ["name", "status", "spec", "target_instances"]
        if binds[0] not in [job["name"] for job in self.jobs]:
            raise LookupError(binds[0])
        if self.statuses:
            return names, [["JOB", self.statuses.pop(0), _SPEC, 1]]
        ended = [worker.poll() is not None for worker in self._workers]
        status = self.final if all(ended) else "RUNNING"
        if self.final == "DONE" and any(worker.returncode for worker in self._workers):
            status = "FAILED"
        return names, [["JOB", status, _SPEC, 1]]

    def _history(self, *_: object) -> Answer:
        """Of jobs that are no services any longer: there are none."""
        return ["DATABASE_NAME", "SCHEMA_NAME", "NAME", "STATUS", "COMPUTE_POOL_NAME"], []

    def start_worker(self, job: dict[str, Any]) -> subprocess.Popen[str]:
        """Start the process that does a job's work."""
        file = self.peer.stages.root / f"{job['name']}.json"
        file.write_text(json.dumps(job))
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        without = () if self.compiles else ("numba",)
        command = [sys.executable, "-W", "ignore", str(WORKER), str(file), *without]
        environment = {**kept, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, text=True, env=environment, cwd=file.parent)

    def _cancel(self, sql: str, _binds: object, _connection: object) -> Answer:
        if not any(job["name"] in sql for job in self.jobs):
            raise LookupError(sql)
        self.cancelled.append(sql)
        self.statuses, self.final = [], "CANCELLED"
        for worker in self._workers:
            worker.kill()
            worker.wait()
        return ["status"], [["done"]]
