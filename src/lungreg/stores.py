"""The stores that the pipeline talks to, as Protocols with written contracts.

The pipeline takes them as arguments and cannot tell which implementation it got. Every
implementation is picklable (settings inside, connections opened on first use), raises the errors
named here for the same faults, and passes the suites in `tests/contracts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lungreg.errors import DataError
from lungreg.records import Case, CaseResult, ModelCard, ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

    from lungreg.config import Config
    from lungreg.one_case import RegistrationJob

MAX_NAME_BYTES = 200
"""Longest part of a name between slashes, UTF-8: file systems allow 255, writers add a suffix."""


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """One file of a stage."""

    name: str
    """Relative to the stage's root, parts joined by "/"."""
    size: int
    """Bytes."""


@runtime_checkable
class Stage(Protocol):
    """The place where files live.

    Contract:
        - A name is relative, of parts joined by "/"; no part is empty, "." or "..", none holds a
          control character, a backslash or more than `MAX_NAME_BYTES` bytes (`check_name`).
          Spaces, quotes and unicode are kept. Bad names raise `DataError`.
        - `write` and `upload` are atomic: a reader sees the old bytes or the new, never a part,
          and a failed write leaves nothing behind. Missing folders come into being.
        - `create` writes only where nothing is, atomically against any other process: exactly
          one of many callers succeeds, the others get `AlreadyExistsError`.
        - `read`, `download` and `size` of a missing name raise `NotFoundError`; `delete` of one
          does nothing.
        - `list` takes a folder, not a prefix: "case_1" does not list "case_10/...". It descends,
          returns names relative to the root in sorted order, and [] for a missing folder. Partial
          files of writes in progress are never listed.
        - A full, unreachable or forbidden store raises `StoreUnavailableError`.
        - Methods may be called from several threads and processes at once.
    """

    def read(self, name: str) -> bytes:
        """The bytes of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet."""

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path."""

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""

    def size(self, name: str) -> int:
        """Size of a file in bytes."""

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder."""

    def uri(self, name: str) -> str:
        """Where a person finds the file."""


@runtime_checkable
class ResultTable(Protocol):
    """The rows of all runs.

    Contract:
        - `write` takes rows at any time, from any process; of several rows with one run and case
          the last finished counts, so writing a row twice changes nothing.
        - `rows` returns one row per case, ordered by case id; [] for an unknown run.
        - `query` runs SQL on a table called `results` with the columns of `RESULT_COLUMNS`, one
          row per run and case, also while a run is writing. SQL that fails raises `StoreError`;
          it can read nothing but this table.
    """

    def write(self, rows: Sequence[CaseResult]) -> None:
        """Add rows."""

    def rows(self, run_id: str) -> list[CaseResult]:
        """The rows of one run."""

    def query(self, sql: str) -> pa.Table:
        """The answer to an SQL query."""

    def compact(self, run_id: str) -> None:
        """Tidy the storage of a finished run, without changing what it holds."""


@runtime_checkable
class ModelRegistry(Protocol):
    """Versions of trained models under names, with aliases such as "champion".

    Contract:
        - `add` gives the next whole number as version, starting at "1"; two processes adding at
          once get different ones. A version is visible only once it is complete.
        - The card comes back with its version and the SHA-256 of the weights. `weights` compares
          the hash and raises `ModelError` where it differs.
        - `resolve` takes a version, an alias, or "latest". Unknown names raise `NotFoundError`
          and list what there is.
        - The first version of a name becomes "champion". `promote` moves an alias.
    """

    def add(self, card: ModelCard, weights: bytes) -> ModelCard:
        """Store a model (safetensors bytes) as the next version of `card.name`."""

    def resolve(self, name: str, version: str) -> ModelCard:
        """The card of a version, alias or "latest"."""

    def weights(self, card: ModelCard) -> bytes:
        """The safetensors bytes of a version."""

    def promote(self, name: str, version: str, alias: str = "champion") -> None:
        """Point an alias at a version."""

    def list(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one name, by name and number."""


@runtime_checkable
class Tracker(Protocol):
    """Training curves, for people who compare runs. Losing them loses no truth.

    Contract:
        - No case id and no path is ever passed in.
        - `start` of a known run goes on with it. Fault of the tracker never stops a run: it is
          logged once as a warning.
    """

    def start(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Begin or go on with a run. `params` are the settings, nested as in the config."""

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Add one point to each curve; `step` is the epoch."""

    def finish(self, run_id: str, *, status: str, tags: Mapping[str, str]) -> None:
        """End a run: "finished" or "failed", with pointers such as the model version."""


@runtime_checkable
class JobRunner(Protocol):
    """Compute that a backend offers beside this machine's Ray. Only some backends have one.

    Contract:
        - `submit` returns at once with the job's id; `follow` yields its log lines until it ends;
          `status` is "pending", "running", "done", "failed" or "cancelled".
        - A job's name, arguments and settings name no case, and neither do its log lines.
    """

    def submit(
        self, command: Sequence[str], config: Config, *, pool: str | None = None, nodes: int = 1
    ) -> str:
        """Start `lungreg COMMAND` with a configuration on a compute pool; returns a job id.

        Args:
            command: "train" or "infer", and options beside `--config`.
            config: What the job runs with; it travels as a file.
            pool: None takes the configuration's own.
            nodes: Machines, which form one Ray cluster.
        """

    def infer_batch(
        self, job: RegistrationJob, cases: Sequence[Case]
    ) -> Iterator[list[CaseResult]]:
        """Register cases with a stored model in one batch job, rows as they are read back.

        When a row is given, its files are on the stage. A case that cannot be registered gives a
        failed result.

        Raises:
            RunError: The job did not end well; what it left was given before.
        """

    def follow(self, job_id: str) -> Iterable[str]:
        """The job's log lines, until it ends."""

    def status(self, job_id: str) -> str:
        """What has become of the job."""

    def exit_code(self, job_id: str) -> int:
        """The exit code of the command of a job that has ended; 1 where it never came to one."""

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended stays as it is."""

    def prepare(self) -> None:
        """Bring the cluster around this process to the size that the configuration asks for.

        Called before Ray is used; nothing happens where the backend does not run this process.
        """


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One object that teardown found."""

    kind: str
    """As a person calls it: "database", "compute pool"."""
    name: str
    statements: tuple[str, ...] = ()
    """What drops it; none where it is kept."""
    holds: str = ""
    """What goes with it."""
    kept: str = ""
    """Why it stays; empty where it goes."""


@runtime_checkable
class Provisioner(Protocol):
    """What must be made once before a backend can be used. Only some backends have one.

    Contract:
        - `make` makes what is missing, changes nothing that is there and drops nothing: run
          twice it leaves what it left once.
        - `removals` changes nothing. It offers only what `make` made, and names with a reason
          what it found and keeps.
    """

    def script(self) -> str:
        """What `make` runs, for a person to read or to run by hand."""

    def make(self) -> int:
        """Make what is missing; returns how many statements were run."""

    def removals(self) -> list[Removal]:
        """What `remove` would drop, in order, and what is kept."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Drop for good what is listed."""


@dataclass(frozen=True, kw_only=True)
class BillQuery:
    """How a person asks the provider what was billed."""

    sql: str
    """With a "?" for each value."""
    binds: tuple[object, ...]
    note: str
    """What the answer holds beside the run, and from when on."""


@runtime_checkable
class Billing(Protocol):
    """Where the bill of a backend stands. Only some backends send one."""

    def query(self, begin: datetime, end: datetime) -> BillQuery:
        """What asks for the credits of the compute between two times in UTC."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at."""

    name: str
    state: str
    """"ok", "warn" or "fail"."""
    found: str
    mend: str = ""


@runtime_checkable
class Examiner(Protocol):
    """What a backend knows of its own state, for `lungreg doctor`. Only some backends have one.

    Contract:
        - `examine` changes nothing that stays and raises nothing: a fault is a check that failed.
    """

    def examine(self) -> list[Check]:
        """What was found."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The stores that one configuration chose."""

    stage: Stage
    results: ResultTable
    models: ModelRegistry
    tracker: Tracker
    jobs: JobRunner | None = field(default=None)
    billing: Billing | None = field(default=None)
    provisioner: Provisioner | None = field(default=None)
    examiner: Examiner | None = field(default=None)
    label: Callable[[str | None, str], Backend] | None = field(default=None)
    """Makes `for_run` where the provider keeps a history of who asked for what."""

    def for_run(self, run_id: str | None, step: str) -> Backend:
        """The same stores, which tell the provider's history their run and step.

        Args:
            run_id: None where a step has no run.
            step: ingest, train, infer or report.
        """
        return self if self.label is None else self.label(run_id, step)


def check_name(name: str) -> str:
    """Return the name if a stage may hold a file of it.

    Raises:
        DataError: It may not, and why.
    """
    for part in name.split("/"):
        if part in ("", ".", ".."):
            msg = "a name on the stage is relative, without empty, '.' or '..' parts"
            raise DataError(msg, where=repr(name))
        if "\\" in part or any(ord(char) < 32 or ord(char) == 127 for char in part):
            msg = "a name on the stage holds no backslash and no control character"
            raise DataError(msg, where=repr(name), mend="rename the file")
        if any("\ud800" <= char <= "\udfff" for char in part):
            msg = "a name on the stage is valid unicode"
            raise DataError(msg, where=repr(name), mend="rename the file")
        if (size := len(part.encode())) > MAX_NAME_BYTES:
            msg = f"a part of a name on the stage has at most {MAX_NAME_BYTES} bytes"
            raise DataError(msg, got=size, mend="shorten the case id", where=part[:40])
    return name
