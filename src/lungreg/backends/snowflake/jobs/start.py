"""The script that a job runs: install lungreg beside the runtime's packages, then run its command.

It is sent as a file and runs before lungreg is installed: it imports only the standard library,
and Ray where there are several nodes. Beside it lie the other files of `payload.py`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

KEPT = ("torch", "ray")
"""Packages of the runtime that a job never changes: its cluster runs on them."""
MAY_END_WITH = (0, 3)
"""Exit codes of a run that came to its end; 3 means that some cases failed."""
EXIT_LINE = "lungreg: exit code"
"""Begins the last line that a job writes; the number follows."""
_MANAGED = "externally-managed-environment"
"""In pip's refusal to change a Python that another tool manages."""
_NOT_FOUND = "(from versions: none)"
"""In pip's error where no index that it reaches has any version of a package."""
_LUNGREG = "import sys; sys.argv[0] = 'lungreg'; from lungreg.cli import main; main()"
"""The console command, wherever pip has installed it."""

STEPS = ("python", "packages", "plan", "install")
"""Of the installation, in order."""
SHOWN = (*KEPT, "monai", "numpy", "snowflake-ml-python", "snowflake-snowpark-python")
"""Packages whose versions are worth a glance."""
Tell = Callable[[str, str], object]
Versions = dict[str, str]
"""Version by canonical name of the package."""


def main(arguments: Sequence[str], folder: Path) -> int:
    """Install on every node, then run `lungreg ARGUMENTS` on this one.

    Returns:
        Its exit code.

    Raises:
        SystemExit: The runtime's packages would change, or pip fails; the command is not run.
        RuntimeError: The run failed.
    """
    install(folder)
    if int(os.environ.get("SNOWFLAKE_JOBS_COUNT") or 1) > 1:
        install_on_other_nodes(folder)
    code = run_lungreg(arguments, folder)
    print(f"{EXIT_LINE} {code}", flush=True)
    if code not in MAY_END_WITH:
        msg = f"{EXIT_LINE} {code}"
        raise RuntimeError(msg)
    return code


def run_lungreg(arguments: Sequence[str], folder: Path) -> int:
    """Run `lungreg ARGUMENTS` with the job's configuration; returns its exit code."""
    # Ray's own variable: join the runtime's cluster, or fail, but never start another.
    environment = {"RAY_ADDRESS": "auto", **os.environ}
    command = [sys.executable, "-c", _LUNGREG, *arguments, "--config", str(folder / "run.yaml")]
    return subprocess.run(command, env=environment, check=False).returncode


def install(folder: Path, tell: Tell = lambda *_: None) -> None:
    """Install lungreg's wheel and its requirements; installed packages keep their versions.

    Args:
        folder: With what was sent.
        tell: Called after each of STEPS with what was found.

    Raises:
        SystemExit: pip cannot do so, torch or ray would change, or a package named in
            backend.job_upgrades is not installed.
    """
    settings = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    refuse_other_python(settings.get("python"))
    refuse_old_python(settings.get("oldest_python"))
    tell("python", sys.version.split()[0])
    before = parse_freeze(freeze())
    tell("packages", ", ".join(as_lines({k: v for k, v in before.items() if k in SHOWN})))
    print("lungreg: packages of the runtime:", *as_lines(before), flush=True)
    refuse_unknown(before, settings["upgrades"])
    with tempfile.TemporaryDirectory() as temporary:
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text("\n".join(constraints_of(before, settings["upgrades"])))
        wanted = ["-r", str(folder / "needed.txt"), "-c", str(constraints)]
        if settings["bundled"]:
            wanted += ["--no-index", "--find-links", str(folder / "wheels")]
        report = Path(temporary) / "report.json"
        repositories = ", ".join(settings.get("repositories", ()))
        pip(
            "install", "--quiet", "--dry-run", "--report", str(report), *wanted, source=repositories
        )
        planned = parse_report(json.loads(report.read_text(encoding="utf-8")))
        refuse_changes(before, {**before, **planned})
        source = f", from {repositories}" if repositories else ""
        tell("plan", f"{len(planned)} packages to add beside {len(before)}{source}")
        pip("install", "--quiet", *wanted)
    ours = str(folder / settings["wheel"])
    pip("install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", ours)
    refuse_changes(before, parse_freeze(freeze()))
    tell("install", f"{settings['wheel'].split('-py3')[0]} beside the image's torch and ray")


def install_on_other_nodes(folder: Path) -> None:
    """Install on the other nodes of the runtime's cluster, all of which see the same folder."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if not ray.is_initialized():
        ray.init(address="auto")
    here = ray.get_runtime_context().get_node_id()
    others = [n["NodeID"] for n in ray.nodes() if n["Alive"] and n["NodeID"] != here]
    command = [sys.executable, str(folder / "start.py"), "--install-only"]
    remote = ray.remote(num_cpus=0)(run_quietly)
    waiting = [
        remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            command
        )
        for node in others
    ]
    failed = [text for code, text in ray.get(waiting) if code != 0]
    if failed:
        sys.exit(f"lungreg: a node refused the installation: {failed[0]}")
    print(f"lungreg: installed on {len(others)} other nodes", flush=True)


def run_quietly(command: list[str]) -> tuple[int, str]:
    """Run a command; returns its exit code and the end of its error output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()[-2000:]


def freeze() -> str:
    """The installed packages, one `name==version` a line.

    Not by `pip freeze`, which writes a conda package's build folder in place of its version.
    """
    return pip("list", "--format", "freeze")


def pip(*arguments: str, source: str = "") -> str:
    """Run a pip command and return its output; its errors go to the job's log.

    An image may mark its Python as managed by another tool, by a file EXTERNALLY-MANAGED (PEP 668):
    what a job adds to its own container harms nobody, so that pip is told to go on.

    Args:
        arguments: Of pip.
        source: Artifact repositories that pip is to find packages in, for the error.

    Raises:
        SystemExit: The command fails.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    print(done.stderr, end="", file=sys.stderr, flush=True)
    if done.returncode != 0:
        if _MANAGED in done.stderr:
            sys.exit(
                "lungreg: the image's pip installs nothing beside a Python that another tool "
                "manages, and knows no --break-system-packages (pip 23.0.1 does); take another "
                "backend.runtime"
            )
        if source and _NOT_FOUND in done.stderr:
            sys.exit(
                f"lungreg: pip finds what lungreg needs in {source}, see its errors above; let the "
                "role use the repositories of backend.artifact_repositories, and their package "
                "policy allow it"
            )
        sys.exit(
            "lungreg: what it needs does not fit beside the runtime's packages, see pip's errors "
            "above; take a newer backend.runtime, or name what may be replaced in "
            "backend.job_upgrades"
        )
    return done.stdout


def parse_freeze(text: str) -> Versions:
    """Read the lines of `freeze`; lines of another form are passed over."""
    pairs = (line.strip().partition("==") for line in text.splitlines())
    return {canonical(name): version for name, sign, version in pairs if sign and version}


def parse_report(report: dict[str, list[dict[str, dict[str, str]]]]) -> Versions:
    """Read the versions that pip would install from its installation report."""
    chosen = (item["metadata"] for item in report["install"])
    return {canonical(item["name"]): item["version"] for item in chosen}


def constraints_of(versions: Versions, upgrades: Sequence[str]) -> list[str]:
    """Constraints of pip: all installed versions, without lungreg and the user's upgrades."""
    free = {canonical(name) for name in upgrades} - set(KEPT) | {"lungreg"}
    return as_lines({name: version for name, version in versions.items() if name not in free})


def as_lines(versions: Versions) -> list[str]:
    """Versions as lines `name==version`, sorted."""
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def refuse_unknown(versions: Versions, upgrades: Sequence[str]) -> None:
    """Refuse packages to upgrade that are not installed.

    Raises:
        SystemExit: One is not installed.
    """
    unknown = [name for name in upgrades if canonical(name) not in versions]
    if unknown:
        sys.exit(
            "lungreg: backend.job_upgrades names packages of the runtime, "
            f"got {', '.join(unknown)}, which it has not"
        )


def refuse_other_python(sent_for: str | None) -> None:
    """Refuse wheels that were fetched for another Python than this image's.

    Args:
        sent_for: Such as "3.11"; None where none were sent.

    Raises:
        SystemExit: They cannot be installed here.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"lungreg: Python {here}", flush=True)
    if sent_for not in (None, here):
        sys.exit(
            f"lungreg: the wheels that came with the job are for Python {sent_for}, got {here}; "
            f"set backend.runtime to an image of Python {sent_for}, or let jobs install from an "
            "index with backend.egress.hosts"
        )


def refuse_old_python(oldest: str | None) -> None:
    """Refuse a Python that lungreg does not run on, before anything is installed.

    Args:
        oldest: The oldest that it runs on, such as "3.11"; None where any does.

    Raises:
        SystemExit: This one is older.
    """
    if oldest and sys.version_info[:2] < tuple(int(part) for part in oldest.split(".")[:2]):
        sys.exit(
            f"lungreg: it runs on Python {oldest} or later, got {sys.version.split()[0]}; take a "
            "backend.runtime of a later Python or, in a notebook, connect to a service with one"
        )


def refuse_changes(before: Versions, after: Versions) -> None:
    """Refuse any change of torch and ray.

    Raises:
        SystemExit: One of them would be added, removed or replaced.
    """
    for name in KEPT:
        if before.get(name) != after.get(name):
            sys.exit(
                f"lungreg: the runtime's {name} stays as it is, "
                f"got {before.get(name) or 'none'} -> {after.get(name) or 'none'}; "
                "take a backend.runtime that has what lungreg needs"
            )


def canonical(name: str) -> str:
    """A distribution's name in the one form that all its spellings share."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


if __name__ == "__main__":
    # The launcher of ML Jobs runs this file in its own process and stores `__return__`.
    if sys.argv[1:] == ["--install-only"]:
        install(Path(__file__).parent)
    else:
        __return__ = main(sys.argv[1:], Path(__file__).resolve().parent)
