"""Files for other tools: citation, conda recipe, container, issue templates, pre-commit."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml
from packaging.requirements import Requirement

from tests.docs.blocks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {
    "duckdb": ["python-duckdb"],
    "isal": ["python-isal"],
    "matplotlib": ["matplotlib-base"],
    "ray": ["ray-default", "ray-train"],
    "torch": ["pytorch"],
}
"""What conda-forge calls a package of PyPI, where the names differ."""


def test_the_citation_is_of_this_project() -> None:
    """Keys that version 1.2.0 of the format requires, the package's version and licence."""
    cited = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert cited["cff-version"] == "1.2.0"
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])
    assert cited["repository-code"] == PROJECT["urls"]["Source"]


def test_the_recipe_asks_for_what_the_package_asks_for() -> None:
    """The same packages with the same bounds, those of two extras too, and the same version."""
    recipe = read(ROOT / "recipe" / "recipe.yaml")
    assert recipe["context"]["version"] == PROJECT["version"]
    asked = {"python": PROJECT["requires-python"]}
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["train"], *extras["cluster"]]
    for requirement in map(Requirement, wanted):
        for name in CONDA_NAMES.get(requirement.name, [requirement.name]):
            asked[name] = str(requirement.specifier)
    run = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    assert {name: set(bounds.split(",")) for name, bounds in run.items()} == {
        name: set(bounds.split(",")) for name, bounds in asked.items()
    }


def test_the_container_runs_as_a_user() -> None:
    """The last user is a number that is not root's, and the command is lungreg."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users
    assert int(users[-1]) > 0
    assert text.index("USER ") < text.index('ENTRYPOINT ["lungreg"]')
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        assert all(f"!{name}" in ignored and (ROOT / name).exists() for name in line.split())


def test_issues_ask_for_what_the_doctor_says() -> None:
    """The template for bugs requires it; tests/cli/test_doctor.py shows that it holds no names."""
    form = read(ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml")
    asked = {part["id"]: part for part in form["body"] if "id" in part}
    assert asked["doctor"]["attributes"]["label"] == "lungreg doctor --json"
    assert asked["doctor"]["validations"]["required"]


def test_hooks_are_what_lint_runs() -> None:
    """Every tool of the session lint, so that a commit that passes is not refused by CI."""
    hooks = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    run = {" ".join(hook["entry"].split()[:2]) for hook in hooks}
    assert run == {"ruff check", "ruff format", "mypy", "lint-imports --no-logo"}


def read(file: Any) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))
