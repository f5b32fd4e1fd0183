"""The first cell of a notebook in Snowflake: fetch from the stage, install with the job's code."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lungreg.backends.snowflake.connection import runtime
from lungreg.backends.snowflake.setup import install_lungreg

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
START = """
import sys
from pathlib import Path

def install(folder):
    (Path(LOG)).write_text(" ".join(sorted(p.name for p in folder.rglob("*") if p.is_file())))
    if REFUSES:
        sys.exit("lungreg: the runtime's torch stays as it is, got 2.8 -> 2.9")

if sys.argv[1:] == ["--install-only"]:
    sys.exit(0 if Path(__file__).with_name("job.json").is_file() else "no job.json")
"""


class Stage:
    """The stage of packages, and the session of a notebook that reads it."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.folder, self.workspace = folder, workspace
        self.log = folder / "log"
        self.file = self
        workspace.mkdir()
        for name in ("start/job.json", "wheels/leaf-1.0-py3-none-any.whl"):
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text("{}")
        self.tells()

    def tells(self, *, python: str | None = HERE, nodes: int | None = None) -> None:
        """What setup writes beside the notebooks."""
        about = {"stage": "@D.S.PACKAGES", "python": python, "nodes": nodes}
        (self.workspace / install_lungreg.ABOUT).write_text(json.dumps(about))

    def starts(self, *, refuses: bool = False) -> None:
        """The start script on the stage."""
        text = f"LOG, REFUSES = {str(self.log)!r}, {refuses}\n{START}"
        (self.folder / "start" / "start.py").write_text(text)

    def get(self, place: str, target: str) -> None:
        """Flat, as GET."""
        for file in (self.folder / place.removeprefix("@D.S.PACKAGES/")).glob("*"):
            shutil.copy(file, target)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    found = Stage(tmp_path / "stage", tmp_path / "workspace")
    context = ModuleType("context")
    context.get_active_session = lambda: found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "snowflake.snowpark.context", context)
    found.starts()
    return found


def test_the_jobs_own_code_installs_what_is_on_the_stage(stage: Stage) -> None:
    """Start script and its files lie together, the wheels in their folder beside them."""
    install_lungreg.install(stage.workspace)
    assert stage.log.read_text() == "job.json leaf-1.0-py3-none-any.whl start.py"


def test_without_wheels_none_are_fetched(stage: Stage) -> None:
    """With hosts to install from there is no such folder on the stage."""
    shutil.rmtree(stage.folder / "wheels")
    stage.tells(python=None)
    install_lungreg.install(stage.workspace)
    assert stage.log.read_text() == "job.json start.py"


def test_a_refusal_ends_the_cell_with_its_reason(stage: Stage) -> None:
    """Not as SystemExit, after which a notebook shows hardly anything."""
    stage.starts(refuses=True)
    with pytest.raises(RuntimeError, match=r"torch stays as it is, got 2\.8 -> 2\.9"):
        install_lungreg.install(stage.workspace)


def test_another_python_is_refused_before_anything_is_fetched(stage: Stage) -> None:
    """Whoever opens a notebook chooses its Python: the error says which."""
    stage.tells(python="3.1")
    with pytest.raises(RuntimeError, match=rf"service with Python 3\.1.*|got {HERE}"):
        install_lungreg.install(stage.workspace)
    assert not stage.log.exists()


class Ray(ModuleType):
    """Two nodes besides this one, each of which runs what it is given."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.on: list[str] = []
        self.archive = b""

    def is_initialized(self) -> bool:
        return True

    def get_runtime_context(self) -> SimpleNamespace:
        return SimpleNamespace(get_node_id=lambda: "here")

    def nodes(self) -> list[dict[str, object]]:
        alive = [{"NodeID": name, "Alive": True} for name in ("here", "a", "b")]
        return [*alive, {"NodeID": "gone", "Alive": False}]

    def put(self, value: bytes) -> bytes:
        self.archive = value
        return value

    def get(self, waiting: list[object]) -> list[object]:
        return waiting

    def remote(self, **_: object):
        def options(function, scheduling_strategy):
            self.on.append(scheduling_strategy.node_id)
            return SimpleNamespace(remote=function)

        return lambda function: SimpleNamespace(options=lambda **k: options(function, **k))


class Strategy:
    """Which node runs it."""

    def __init__(self, node_id: str, *, soft: bool) -> None:
        self.node_id = node_id
        assert not soft


def test_every_node_of_the_cluster_gets_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster is scaled first; the other nodes get the files themselves, not a path."""
    asked: list[int] = []

    def scale(nodes: int) -> bool:
        asked.append(nodes)
        return True

    monkeypatch.setattr(runtime, "scale_notebook_cluster", scale)
    ray, strategies = Ray(), ModuleType("ray.util.scheduling_strategies")
    strategies.NodeAffinitySchedulingStrategy = Strategy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, strategies.__name__, strategies)
    stage.tells(nodes=3)
    install_lungreg.install(stage.workspace)
    assert (asked, ray.on) == ([3], ["a", "b"])
    names = zipfile.ZipFile(BytesIO(ray.archive)).namelist()
    assert names == ["job.json", "start.py", "wheels/leaf-1.0-py3-none-any.whl"]
    (stage.folder / "start" / "job.json").unlink()
    with pytest.raises(RuntimeError, match="a node refused the installation: no job"):
        install_lungreg.install(stage.workspace)


def test_where_nothing_can_be_scaled_only_this_node_installs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside Container Runtime, or in an image without the module."""
    monkeypatch.setitem(sys.modules, "ray", None)
    stage.tells(nodes=3)
    install_lungreg.install(stage.workspace)
    assert stage.log.exists()
