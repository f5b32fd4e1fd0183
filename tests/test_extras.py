"""The extras: what is imported of each, where, and what is said where one is not installed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lungreg.errors import LungregError, MissingExtraError
from lungreg.extras import EXTRAS, has_extra, of_extra, require_extras

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "lungreg"
EXTRA_OF = {
    module.partition(".")[0]: name
    for name, extra in EXTRAS.items()
    for module in (*extra.modules, *extra.more)
}
"""Extra by package."""
_IMPORT = re.compile(rf"^ *(import|from) ({'|'.join(EXTRA_OF)})\b", re.MULTILINE)
PACKAGES = {
    "snowflake.snowpark": "snowflake-snowpark-python",
    "snowflake.ml": "snowflake-ml-python",
}
"""Names on PyPI that differ from what is imported."""
ASKS_FIRST = {
    "backends/snowflake": "snowflake",
    "backends/snowflake/jobs/start.py": "cluster",
    "backends/snowflake/setup/install_lungreg.py": "cluster",
}
"""Opening a session asks for the extra, before anything else of this room is called; what starts a
job or a notebook runs where lungreg is not installed yet."""


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_package_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what needs it and what to install, asked for early or found at an import."""
    module = EXTRAS[name].modules[0]
    monkeypatch.setitem(sys.modules, module, None)
    assert not has_extra(name)
    says = rf"extra \[{name}\], got no {module}.*; python -m pip install 'lungreg\[{name}\]'"
    with pytest.raises(MissingExtraError, match=says):
        require_extras(name)
    with pytest.raises(LungregError, match=says) as caught, of_extra(name):
        __import__(module)
    assert "\n" not in str(caught.value)


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command installs it; what is there is not named."""
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"'lungreg\[train,cluster\]'"):
        require_extras("train", "cluster")
    monkeypatch.undo()
    require_extras("train", "cluster")


def test_a_job_trains_without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snowflake keeps the curves there: only the local tracker misses it, in the same words."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    require_extras("train")
    with pytest.raises(MissingExtraError, match="got no mlflow"), of_extra("train"):
        import mlflow  # noqa: F401


def test_another_missing_module_stays_what_it_is() -> None:
    """An extra that is there but broken, or a fault of our own, is not hidden."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), of_extra("train"):
        import no_such_module  # noqa: F401


def test_extras_are_those_of_the_project() -> None:
    """The same names, and the packages that each brings; `all` is all of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {
        name: {canonicalize_name(Requirement(text).name) for text in texts}
        for name, texts in project["optional-dependencies"].items()
    }
    assert asked.keys() == {*EXTRAS, "fast", "all"}
    (whole,) = project["optional-dependencies"]["all"]
    assert Requirement(whole).extras == asked.keys() - {"all"}
    for name, extra in EXTRAS.items():
        assert {PACKAGES.get(module, module) for module in (*extra.modules, *extra.more)} == asked[
            name
        ]


def test_every_import_of_an_extra_is_one_of_its_block() -> None:
    """At the top of a file inside `with of_extra(...)`; in a function of a file that asks."""
    loose, found = [], set()
    for file in SOURCES.rglob("*.py"):
        place, text = file.relative_to(SOURCES).as_posix(), file.read_text("utf-8")
        if not _IMPORT.search(text):
            continue
        tree = ast.parse(text)
        asked = {one for node in ast.walk(tree) if (one := asked_of(node))}
        free = {name for room, name in ASKS_FIRST.items() if place.startswith(room)}
        at_top = set().union(*map(imported, tree.body))
        anywhere = set().union(*map(imported, needed(tree)))
        found |= anywhere
        loose += [(place, name) for name in anywhere - asked - free]
        loose += [(place, name) for name in at_top - free]
    assert found == {*EXTRAS}
    assert loose == []


def needed(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below one, without what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from needed(child)


def imported(node: ast.AST) -> set[str]:
    """The extras whose packages a statement imports."""
    if isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    else:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    return {EXTRA_OF[top] for name in names if (top := name.partition(".")[0]) in EXTRA_OF}


def asked_of(node: ast.AST) -> str | None:
    """The extra whose block of imports a call begins."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "of_extra":
        return str(ast.literal_eval(node.args[0]))
    return None


def test_the_core_works_without_any_extra(tmp_path: Path) -> None:
    """What needs one says which to install, and one pair loads neither DuckDB nor Arrow."""
    code = """
        import sys
        for module in sys.argv[2].split(","):
            sys.modules[module] = None
        sys.path.insert(0, sys.argv[3])
        from tests.core_commands import run_core_commands
        run_core_commands(sys.argv[1], quick=True)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)]
    blocked = ",".join((*EXTRA_OF, "numba"))
    given = [str(tmp_path), blocked, str(ROOT)]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
