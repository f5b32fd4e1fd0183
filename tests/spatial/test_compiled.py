"""Compiled loops round alike in the process that compiles them and in those that read them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lungreg

SOURCES = Path(lungreg.__file__).parent
KERNELS = sorted(path for path in SOURCES.rglob("*kernel.py"))
DECORATORS = {"compiled", "inlined", "compiled_as_written"}


def functions(tree: ast.Module) -> dict[str, tuple[str, set[str]]]:
    """How each compiled function of a module is compiled, and the names that it calls."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            (decorator,) = (it.id for it in node.decorator_list if isinstance(it, ast.Name))
            calls = (it.func for it in ast.walk(node) if isinstance(it, ast.Call))
            found[node.name] = decorator, {it.id for it in calls if isinstance(it, ast.Name)}
    return found


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_a_loop_calls_has_no_second_machine_code(path: Path) -> None:
    """Else a first run, which compiles, ends a hundredth of a millimetre beside later ones."""
    found = functions(ast.parse(path.read_text()))
    assert {decorator for decorator, _ in found.values()} <= DECORATORS
    called = {name for _, calls in found.values() for name in calls & found.keys()}
    assert found
    assert {name: found[name][0] for name in called if found[name][0] == "compiled"} == {}
