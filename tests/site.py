"""A folder with files, configuration and stage, and commands run in it as a user would."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from lungreg.backends import open_backend
from lungreg.backends.local.registry import StageModelRegistry
from lungreg.backends.local.results import ParquetResultTable
from lungreg.cli.app import build_app
from lungreg.config import Config, load_config
from lungreg.config.section import MODEL_NAME
from lungreg.records import CaseMetrics, CaseResult
from lungreg.stores import Backend, Stage

CASES = tuple(f"case_{number:03d}" for number in range(1, 7))
SETTINGS: dict[str, Any] = {
    "backend": {"kind": "local", "root": "./stage", "tracking": False},
    "seed": 3,
    "ingest": {"source": "./training"},
    "data": {"split": {"train": list(CASES[:4]), "val": [CASES[4]], "test": [CASES[5]]}},
    "preprocessing": {"spatial_size": [16, 16, 16], "alignment": "masks"},  # auto takes seconds
    "network": {"num_channel_initial": 4},
    "loss": {"dice": 1.0},
    "train": {
        "workers": 0,
        "threads": 1,
        "epochs": 2,
        "learning_rate": 1.0e-3,
        "save_every": 1,
        "device": "cpu",
    },
    "infer": {"model": MODEL_NAME, "workers": 0, "threads": 1, "device": "cpu", "qc": False},
}


@dataclass(frozen=True)
class Site:
    """One copy of the cohort."""

    folder: Path

    @property
    def config_file(self) -> Path:
        return self.folder / "lungreg.yaml"

    @property
    def scans(self) -> Path:
        return self.folder / "training" / "scans"

    def config(self, *overrides: str) -> Config:
        return load_config(self.config_file, overrides)

    def backend(self) -> Backend:
        return open_backend(self.config().backend)

    def backend_on(self, stage: Stage) -> Backend:
        """The folder's stores with another stage, such as a faulty one around its own."""
        return dataclasses.replace(
            self.backend(),
            stage=stage,
            results=ParquetResultTable(stage),
            models=StageModelRegistry(stage),
        )

    def run(self, *arguments: str) -> Outcome:
        """Run a `lungreg` command with this folder's configuration, in this process."""
        return run(*arguments, "-c", str(self.config_file))

    def start(self, *arguments: str, **environment: str | None) -> subprocess.Popen[str]:
        """Start a `lungreg` command in this folder, in a process group of its own.

        Args:
            arguments: The command.
            environment: Variables to set or, with None, to take away.
        """
        return self.start_python("from lungreg.cli import main; main()", *arguments, **environment)

    def start_python(
        self, code: str, *arguments: str, **environment: str | None
    ) -> subprocess.Popen[str]:
        """Start Python code in this folder, in a process group of its own."""
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, *arguments],
            cwd=self.folder,
            env={name: value for name, value in variables.items() if value is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        _started.append(process)
        return process


_started: list[subprocess.Popen[str]] = []


def destroy_started() -> None:
    """End the commands that a test has left running, with all that they have started."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            destroy(process)


def wait_until(
    happened: Callable[[], bool], process: subprocess.Popen[str], *, timeout_s: float = 180
) -> None:
    """Wait for something that a running command does.

    Raises:
        AssertionError: The command ended first, or took too long.
    """
    end = time.monotonic() + timeout_s
    while not happened():
        if process.poll() is not None:
            msg = f"ended with {process.returncode}: {process.communicate()}"
            raise AssertionError(msg)
        if time.monotonic() > end:
            msg = f"took longer than {timeout_s} s"
            raise AssertionError(msg)
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """SIGKILL to the command's own process alone.

    Returns:
        What it had started, without Ray's agents: they look after their parent only now and then,
        and are ended here.
    """
    children = psutil.Process(process.pid).children(recursive=True)
    agents = [child for child in children if "Agent" in child.name()]
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    _end(agents)
    return [child for child in children if child not in agents]


def destroy(process: subprocess.Popen[str]) -> None:
    """End the command and all that it has started."""
    _end(kill(process))


def _end(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def terminate(process: subprocess.Popen[str]) -> tuple[float, str, str]:
    """SIGTERM to the command alone, as a container's end is: as `interrupt`."""
    return _stop(process, lambda: process.send_signal(signal.SIGTERM))


def terminate_twice(process: subprocess.Popen[str]) -> tuple[float, str, str]:
    """SIGTERM, and once more while the first one has its effect, as some schedulers send it."""

    def send() -> None:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)

    return _stop(process, send)


def interrupt(process: subprocess.Popen[str]) -> tuple[float, str, str]:
    """Ctrl-C: SIGINT to the whole process group; seconds until the end, stdout and stderr."""
    return _stop(process, lambda: os.killpg(process.pid, signal.SIGINT))


def _stop(process: subprocess.Popen[str], send: Callable[[], None]) -> tuple[float, str, str]:
    started = time.monotonic()
    send()
    out, err = process.communicate(timeout=60)
    return time.monotonic() - started, out, err


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed, which is all of stdout."""
        return json.loads(self.out)


def runner() -> CliRunner:
    """Click before 8.2 mixes both streams unless asked not to; later ones never do."""
    old = "mix_stderr" in inspect.signature(CliRunner.__init__).parameters
    return CliRunner(mix_stderr=False) if old else CliRunner()


def run(*arguments: str) -> Outcome:
    """Run a `lungreg` command in this process."""
    result = runner().invoke(build_app(), arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(code=result.exit_code, out=result.stdout, err=result.stderr)


def assert_refused(done: Outcome, *says: str) -> None:
    """Exit code 1 and one line that says what and how to mend it."""
    assert done.code == 1
    assert "Traceback" not in done.out + done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("lungreg: ")
    for part in says:
        assert part in done.err


def measures(row: CaseResult) -> dict[str, float | None]:
    """What was measured of a case, by name."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(CaseMetrics)}
