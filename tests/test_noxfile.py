"""What the sessions of nox install."""

from __future__ import annotations

import ast
from pathlib import Path

SESSIONS = {
    node.name: node
    for node in ast.parse((Path(__file__).parents[1] / "noxfile.py").read_text("utf-8")).body
    if isinstance(node, ast.FunctionDef)
}


def required(name: str) -> list[str]:
    """The sessions that one session runs first."""
    (decorator,) = SESSIONS[name].decorator_list
    return [
        required
        for keyword in getattr(decorator, "keywords", [])
        if keyword.arg == "requires"
        for required in ast.literal_eval(keyword.value)
    ]


def test_the_demo_installs_what_it_needs() -> None:
    """The package with its extras: no types or linters; tests add theirs beside."""
    installs = "install(session, '--no-compile', '.[all]')"
    assert required("demo") == required("lungreg") == required("tools") == ["env"]
    assert required("kernels") == ["env"]
    assert installs in ast.unparse(SESSIONS["env"])
    assert "GROUPS" not in ast.unparse(SESSIONS["env"])
    assert required("tests") == required("lint") == ["tools"]
