"""The start of a job: it installs beside the runtime's packages, or refuses before work starts."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pip
import pytest
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lungreg.backends.snowflake.jobs import start, start_check
from lungreg.stores import Check
from tests.backends.snowflake.jobs.wheels import make_wheel

LUNGREG = {
    "lungreg/__init__.py": "",
    "lungreg/cli.py": (
        "import importlib.metadata, os, sys\n"
        "def main():\n"
        "    print('ARGS', *sys.argv[:-1], 'RAY', os.environ['RAY_ADDRESS'])\n"
        "    print('LEAF', importlib.metadata.version('leaf'))\n"
        "    sys.exit(int(sys.argv[2]) if len(sys.argv) > 4 else 0)\n"
    ),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an image with a torch, a ray and an old `stem`, as Container Runtime is."""
    folder = tmp_path_factory.mktemp("runtime")
    venv.create(folder / "env", symlinks=True)
    python = folder / "env" / "bin" / "python"
    (packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    shutil.copytree(Path(pip.__file__).parent, packages / "pip")
    wheels = [
        make_wheel(folder, name, version)
        for name, version in (("torch", "2.8.0+cu126"), ("ray", "2.50.0"), ("stem", "0.5"))
    ]
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", *wheels]
    subprocess.run(install, check=True, env=clean_environment())
    return python


def clean_environment() -> dict[str, str]:
    """Without what points Python and pip elsewhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    return {**kept, "PYTHONPATH": "", "PIP_NO_COMPILE": "1"}


def payload(folder: Path, *needed: str, upgrades: tuple[str, ...] = ()) -> Path:
    """What `submit` sends, with small wheels in place of the large ones."""
    wheels = folder / "wheels"
    make_wheel(wheels, "leaf", "1.0", requires=["stem"])
    make_wheel(wheels, "stem", "1.0")
    make_wheel(wheels, "torch", "2.9.0")
    wheel = make_wheel(folder, "lungreg", "9.9", files=LUNGREG)
    about = {"wheel": wheel.name, "bundled": True, "upgrades": list(upgrades)}
    (folder / "job.json").write_text(json.dumps(about))
    (folder / "needed.txt").write_text("\n".join(needed))
    (folder / "run.yaml").write_text("")
    for script in (start, start_check):
        (folder / Path(script.__file__).name).write_text(Path(script.__file__).read_text())
    return folder


def launch(
    python: Path, folder: Path, *arguments: str, entrypoint: str = "start.py"
) -> subprocess.CompletedProcess[str]:
    """Run the payload as the launcher of ML Jobs does: by runpy, in its own process."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{entrypoint!r}, *{list(arguments)!r}]\n"
        f"found = runpy.run_path({str(folder / entrypoint)!r}, run_name='__main__')\n"
        "print('RETURN', found['__return__'])\n"
    )
    command = [python, "-c", code]
    environment = clean_environment()
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=folder
    )


def installed(python: Path) -> dict[str, str]:
    """What the image holds now, read without pip."""
    (packages,) = (python.parents[1] / "lib").glob("python*/site-packages")
    found = importlib.metadata.distributions(path=[str(packages)])
    return {start.canonical(item.name): item.version for item in found}


def test_it_installs_what_is_missing_and_runs_lungreg(runtime: Path, tmp_path: Path) -> None:
    """The runtime's packages stay, the missing one comes, and the exit code is the command's."""
    before = installed(runtime)
    folder = payload(tmp_path, "torch>=2.8", "ray>=2.46", "leaf>=1")
    done = launch(runtime, folder, "train", "3", "x")
    assert done.returncode == 0, done.stderr
    assert "torch==2.8.0+cu126" in done.stdout
    assert "ARGS lungreg train 3 x --config RAY auto" in done.stdout
    assert "LEAF 1.0" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["lungreg: exit code 3", "RETURN 3"]
    after = installed(runtime)
    assert {name: after[name] for name in before} == before
    assert after["stem"] == "0.5"


@pytest.mark.parametrize(
    "needed",
    [
        pytest.param(["torch>=2.9"], id="another torch"),
        pytest.param(["stem>=1"], id="another version of what the image has"),
    ],
)
def test_it_refuses_what_would_change_the_runtime(
    runtime: Path, tmp_path: Path, needed: list[str]
) -> None:
    """The resolver of pip is bound to the image's versions: the job fails before lungreg runs."""
    before = installed(runtime)
    done = launch(runtime, payload(tmp_path, *needed), "train")
    assert done.returncode != 0
    assert "does not fit beside the runtime's packages" in done.stderr
    assert "ARGS" not in done.stdout
    assert installed(runtime) == before


def test_a_check_tells_what_it_installs_beside(runtime: Path, tmp_path: Path) -> None:
    """From its own entrypoint, in an image that has no lungreg yet; then `lungreg check` runs."""
    done = launch(runtime, payload(tmp_path, "leaf>=1"), entrypoint="start_check.py")
    rows = [row for line in done.stdout.splitlines() if (row := Check.from_line(line))]
    assert [(row.name, row.state) for row in rows] == [
        *((name, "ok") for name in ("image", "python", "packages", "plan", "install"))
    ], done
    assert rows[2].found == "ray==2.50.0, torch==2.8.0+cu126"
    assert "ARGS lungreg check --config RAY auto" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["lungreg: exit code 0", "RETURN 0"]


def test_a_package_that_is_not_there_cannot_be_let_go(runtime: Path, tmp_path: Path) -> None:
    """A mistyped name would be heeded by nobody."""
    done = launch(runtime, payload(tmp_path, "leaf", upgrades=("stem", "stme")), "train")
    assert done.returncode != 0
    assert "job_upgrades names packages of the runtime, got stme" in done.stderr
    assert "ARGS" not in done.stdout


def test_a_failing_command_fails_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other exit code raises in the launcher's process, so that the job's status is FAILED."""
    monkeypatch.setattr(start, "install", lambda _: None)  # lungreg is there: it is this one
    with pytest.raises(RuntimeError, match="exit code 2"):
        start.main(["no-such-command"], tmp_path)


_PIP = """#!/bin/sh
if test "$PIP_BREAK_SYSTEM_PACKAGES" = "$1"; then echo fine; exit 0; fi
echo "error: $2" >&2
exit 1
"""


@pytest.mark.parametrize(
    ("heeds", "refusal", "said"),
    [
        ("1", "externally-managed-environment", None),
        ("never", "externally-managed-environment", "that another tool manages"),
        ("never", "ResolutionImpossible", "does not fit beside the runtime's packages"),
        ("never", "(from versions: none)", "finds what lungreg needs in A.B.PYPI"),
    ],
)
def test_an_image_whose_python_is_managed_is_installed_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heeds: str, refusal: str, said: str | None
) -> None:
    """Pip is told to go on; where it refuses in spite of that, it is no conflict of versions."""
    python = tmp_path / "python"
    python.write_text(_PIP.replace('"$1"', heeds).replace("$2", refusal))
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.delenv("PIP_BREAK_SYSTEM_PACKAGES", raising=False)
    if said is None:
        assert start.pip("install", "leaf", source="A.B.PYPI") == "fine\n"
        return
    with pytest.raises(SystemExit, match=said):
        start.pip("install", "leaf", source="A.B.PYPI")


def test_an_older_python_than_lungreg_needs_is_told_before_pip_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook whose service has Python 3.10: pip would say that packages do not fit."""
    about = {"wheel": "w.whl", "bundled": False, "upgrades": [], "oldest_python": "3.99"}
    (tmp_path / "job.json").write_text(json.dumps(about))
    monkeypatch.setattr(sys, "executable", "no-pip-is-run")
    with pytest.raises(SystemExit, match=r"Python 3\.99 or later, got 3\.\d+.*a service with one"):
        start.install(tmp_path)


def test_a_freeze_is_read_by_canonical_names() -> None:
    """Spellings of one name are one package, and lines that pin nothing are passed over."""
    text = "Torch==2.8.0+cu126\n# a comment\ntyping_extensions==4.1\n-e git+x\nray @ file:///x\n"
    assert start.parse_freeze(text) == {"torch": "2.8.0+cu126", "typing-extensions": "4.1"}


def test_only_what_the_user_lets_go_is_unbound() -> None:
    """Constraints hold all of the image but the named packages; torch and ray can never be."""
    image = {"torch": "2.8.0", "ray": "2.50", "numpy": "2.0", "my-lib": "1", "lungreg": "0.0"}
    assert start.constraints_of(image, ["My_Lib", "torch"]) == [
        *("numpy==2.0", "ray==2.50", "torch==2.8.0")
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"torch": "2.8"}, {"torch": "2.9"}),
        ({"torch": "2.8"}, {}),
        ({}, {"ray": "2.50"}),
        ({"torch": "2.8+cu126"}, {"torch": "2.8"}),
    ],
)
def test_torch_and_ray_never_change(before: dict[str, str], after: dict[str, str]) -> None:
    """Another version or build, one that goes and one that comes are all refused."""
    with pytest.raises(SystemExit, match="stays as it is"):
        start.refuse_changes(before, after)


def test_other_packages_may_come() -> None:
    """What pip plans beside them is no matter."""
    report = {"install": [{"metadata": {"name": "MONAI", "version": "1.6.1"}}]}
    before = {"torch": "2.8", "ray": "2.50"}
    planned = start.parse_report(report)
    assert planned == {"monai": "1.6.1"}
    start.refuse_changes(before, {**before, **planned})


HEAD, OTHER = f"{1:056x}", f"{2:056x}"


class Ray:
    """Ray on two nodes, with its names and arguments; what is remote is done at once.

    A real cluster of two nodes takes 15 seconds to come and go. What runs here is real but for it.
    """

    def __init__(self) -> None:
        self.nodes_used: list[str] = []

    def is_initialized(self) -> bool:
        return True

    def get_runtime_context(self) -> Ray:
        return self

    def get_node_id(self) -> str:
        return HEAD

    def nodes(self) -> list[dict[str, object]]:
        ids = {HEAD: True, OTHER: True, f"{3:056x}": False}
        return [{"NodeID": name, "Alive": alive} for name, alive in ids.items()]

    def remote(self, *, num_cpus: int) -> Callable[[Callable[..., object]], Ray]:
        def decorate(function: Callable[..., object]) -> Ray:
            self.function = function
            return self

        assert num_cpus == 0  # a node that is full installs too
        return decorate

    def options(self, *, scheduling_strategy: NodeAffinitySchedulingStrategy) -> Ray:
        assert not scheduling_strategy.soft
        self.nodes_used.append(scheduling_strategy.node_id)
        found = copy.copy(self)
        found.remote = self.function  # type: ignore[method-assign]
        return found

    def get(self, done: list[object]) -> list[object]:
        return done


def test_every_other_node_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each living node but this one runs the installation, and only that."""
    cluster = Ray()
    for name in ("is_initialized", "get_runtime_context", "nodes", "remote", "get"):
        monkeypatch.setattr(ray, name, getattr(cluster, name))
    mark = "print(*sys.argv[1:], file=pathlib.Path(__file__).with_suffix('.done').open('a'))"
    (tmp_path / "start.py").write_text(f"import pathlib, sys\n{mark}\n")
    start.install_on_other_nodes(tmp_path)
    assert cluster.nodes_used == [OTHER]
    assert (tmp_path / "start.done").read_text() == "--install-only\n"
    assert "installed on 1 other nodes" in capsys.readouterr().out


def test_a_node_that_refuses_stops_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without lungreg would fail hours later."""
    cluster = Ray()
    for name in ("is_initialized", "get_runtime_context", "nodes", "remote", "get"):
        monkeypatch.setattr(ray, name, getattr(cluster, name))
    (tmp_path / "start.py").write_text("import sys; sys.exit('torch stays as it is')")
    with pytest.raises(SystemExit, match="torch stays as it is"):
        start.install_on_other_nodes(tmp_path)
