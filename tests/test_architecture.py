"""The promises that no single module can keep: light imports, layers, names, versions."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lungreg

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "monai", "ray", "mlflow", "snowflake"}
LIGHT_MODULES = [
    "errors",
    "spatial.geometry",
    "records",
    "config",
    "stores",
    "formats.volumes",
    "sources",
    "qc",
    "backends",
    "backends.local.opening",
]


def test_modules_without_tensors_load_no_heavy_library() -> None:
    """Imported one after the other in one process; a heavy one is reported with its importer."""
    code = """
        import importlib, json, sys
        # Some packages load a namespace into every interpreter: only what comes after counts.
        before, loaded = set(sys.modules), {}
        for name in sys.argv[1:]:
            importlib.import_module(name)
            loaded[name] = sorted(set(sys.modules) - before)
            before |= set(sys.modules)
        print(json.dumps(loaded))
    """
    names = ["lungreg", *(f"lungreg.{module}" for module in LIGHT_MODULES)]
    loaded = json.loads(python(code, *names))
    heavy = {
        name: sorted(HEAVY & {module.partition(".")[0] for module in modules})
        for name, modules in loaded.items()
    }
    assert heavy == {name: [] for name in names}
    assert "lungreg.backends.local.opening" in loaded["lungreg.backends.local.opening"]


def test_help_loads_no_heavy_library() -> None:
    """`lungreg --help` answers at once."""
    code = """
        import atexit, json, sys
        before = set(sys.modules)
        atexit.register(lambda: print(json.dumps(sorted(set(sys.modules) - before))))
        sys.argv = ["lungreg", "--help"]
        from lungreg.cli import main
        main()
    """
    loaded = {name.partition(".")[0] for name in json.loads(python(code).splitlines()[-1])}
    assert "lungreg" in loaded
    assert loaded.isdisjoint(HEAVY), loaded & HEAVY


def test_local_stores_need_nothing_of_snowflake(tmp_path: Path) -> None:
    """Configuring either backend, and working with the local one, runs where Snowflake is not."""
    code = """
        import sys
        sys.modules["snowflake"] = None
        from lungreg.backends import open_backend
        from lungreg.config import parse_config
        from lungreg.records import ModelCard
        assert parse_config({"backend": {"kind": "snowflake"}}).backend.kind == "snowflake"
        backend = open_backend(parse_config({"backend": {"root": sys.argv[1]}}).backend)
        backend = backend.for_run("run", "infer")
        backend.stage.write("folder/file", b"x")
        backend.results.query("SELECT * FROM results")
        backend.models.add(ModelCard(name="model"), b"x")
        backend.tracker.start("run", {})
    """
    python(code, str(tmp_path))


def test_opening_the_snowflake_backend_connects_to_nothing() -> None:
    """Without the packages only its first use fails, and says what to install."""
    code = """
        import sys
        sys.modules["snowflake"] = None
        from lungreg.backends import open_backend
        from lungreg.config import parse_config
        from lungreg.errors import MissingExtraError
        backend = open_backend(parse_config({"backend": {"kind": "snowflake"}}).backend)
        try:
            backend.stage.list()
        except MissingExtraError as error:
            print(error.mend)
    """
    assert "pip install 'lungreg[snowflake]'" in python(code)


def test_layers_hold() -> None:
    """Every module is placed in a layer and imports only from below, Ray and Snowflake apart."""
    pytest.importorskip("importlinter", reason="import-linter belongs to the lint group")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_public_name_is_hidden_by_a_submodule() -> None:
    """Importing a submodule binds its name on the package: no public name may be the same."""
    clashes = {
        package.__name__: clash
        for package in _packages(lungreg)
        if (clash := set(getattr(package, "__all__", ())) & _submodules(package))
    }
    assert clashes == {}


def test_public_names_answer_twice() -> None:
    """A public name is the same object before and after everything has been imported."""
    before = {name: getattr(lungreg, name) for name in lungreg.__all__}
    for name in _submodules(lungreg):
        importlib.import_module(f"lungreg.{name}")
    after = {name: getattr(lungreg, name) for name in lungreg.__all__}
    assert before
    assert all(after[name] is before[name] for name in before)


def test_version_is_that_of_the_installed_package() -> None:
    """`lungreg.__version__` is written once, in the metadata."""
    assert lungreg.__version__ == version("lungreg")


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    """The constraints name a version for all that `pyproject.toml` asks for, and an allowed one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [
        *project["dependency-groups"].values(),
        *project["project"]["optional-dependencies"].values(),
    ]
    lines = (ROOT / ".ci" / "constraints.txt").read_text().split()
    pins = {
        canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)
    }
    asked = [*project["project"]["dependencies"], *(entry for group in groups for entry in group)]
    entries = (Requirement(entry) for entry in asked if isinstance(entry, str))
    requirements = [entry for entry in entries if entry.name != "lungreg"]  # extras of its own
    loose = [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert requirements
    assert loose == []


def python(code: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _submodules(package: ModuleType) -> set[str]:
    return {entry.name for entry in pkgutil.iter_modules(package.__path__)}


def _packages(root: ModuleType) -> list[ModuleType]:
    found = [root]
    for entry in pkgutil.iter_modules(root.__path__, f"{root.__name__}."):
        if entry.ispkg:
            found += _packages(importlib.import_module(entry.name))
    return found
