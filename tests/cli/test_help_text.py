"""Help of single commands: arguments are named alike everywhere, in capitals and without braces."""

from __future__ import annotations

import re

import pytest

from tests.cli.test_app import COMMANDS, command_at
from tests.site import run


def shown(*path: str) -> str:
    return " ".join(run(*path, "--help").out.split())


@pytest.mark.parametrize("path", [path for path in COMMANDS if path], ids=" ".join)
def test_nothing_is_in_braces_or_in_the_words_of_python(path: tuple[str, ...]) -> None:
    """No {fixed}, <list[Path]>, <int range> or "x>=0"; an argument that may be missing has []."""
    text = run(*path, "--help").out
    assert not re.search(r"[{}]|list\[|range>|[<>]=|\[\[|: \(|<str>", text)
    for one in command_at(path).params:
        if one.param_type_name == "argument":
            name = re.escape(one.metavar.strip("[]"))
            wanted = name if one.required else rf"\[{name}\]"
            assert re.search(rf"^Usage: .* {wanted}", text)
            assert re.search(rf"^  {name}(\.\.\.)?(  |$)", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (("register",), "Usage: lungreg register [OPTIONS] FIXED MOVING"),
        (("register",), "lungreg register exp.nii.gz insp.nii.gz -o out"),
        (("register",), "--seed <int> Same seed, same result; else 0. [at least 0]"),
        (("apply",), "Usage: lungreg apply [OPTIONS] TRANSFORM... INPUT"),
        (("apply",), "--order <int> Spline between voxels. [default: 1, linear; 0 to 3]"),
        (("models", "show"), "Usage: lungreg models show [OPTIONS] NAME [VERSION]"),
        (("infer",), "--engine <ray|run-batch>"),
        (("infer",), "-c, --config <path> YAML of the run. [default: ./lungreg.yaml]"),
    ],
)
def test_types_limits_and_defaults_are_in_plain_words(path: tuple[str, ...], says: str) -> None:
    """As they are typed, and as people say them."""
    assert says in shown(*path)


def test_an_argument_that_is_missing_is_named_as_in_the_help() -> None:
    """FIXED, not fixed."""
    assert "Missing argument 'FIXED'" in run("register", "-o", "out").err
