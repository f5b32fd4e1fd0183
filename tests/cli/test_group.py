"""Shells complete commands without importing anything heavy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMPLETE = (
    "import sys; sys.argv = ['lungreg']\n"
    "from lungreg.cli import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    heavy = {'torch', 'monai', 'ray', 'mlflow'} & set(sys.modules)\n"
    "    print(sorted(heavy), file=sys.stderr)\n"
)


@pytest.mark.parametrize(
    ("shell", "asked", "found"),
    [
        ("bash", {"COMP_WORDS": "lungreg infer --engi", "COMP_CWORD": "2"}, "--engine"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "lungreg models prom"}, "promote"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "lungreg register --preset fa"}, "fast"),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "lungreg register --alignment wo"}, "world"),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "lungreg regi", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
            "register",
        ),
    ],
)
def test_shells_complete_commands_and_options(
    shell: str, asked: dict[str, str], found: str
) -> None:
    """What the scripts of `--install-completion` ask; without torch, so that it is quick."""
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPLETE],
        env={**os.environ, "_LUNGREG_COMPLETE": f"complete_{shell}", **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found in said.stdout
    assert said.stderr == "[]\n"
