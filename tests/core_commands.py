"""What works without any extra, and what then says what to install, on two tiny pairs.

`nox -s core` runs it where the core alone is installed, and prints the size of that installation;
tests/test_extras.py runs it where the packages of the extras are blocked.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from typer.testing import CliRunner

import lungreg
from lungreg.backends import open_backend
from lungreg.cli.app import build_app
from lungreg.extras import EXTRAS, has_extra

SETTINGS = {
    "backend": {"kind": "local", "root": "./stage"},
    "ingest": {"source": "./pairs", "layout": "zenodo"},
    "preprocessing": {"alignment": "masks"},  # auto takes seconds
    "refine": {"enabled": False},
}
PAIRS = ("--cases", "2", "--shape", "40", "34", "40", "--spacing-mm", "7.5", "7.5", "7.2")
PAIR = tuple(f"pairs/scans/case_001_{phase}.nii.gz" for phase in ("exp", "insp"))
ON_ONE_MACHINE = (
    ("simulate", "--out", "pairs", *PAIRS),
    ("doctor",),
    ("ingest",),
    ("infer", "--no-model"),
    ("results", "--sql", "SELECT case_id, verdict FROM results"),
    ("models", "list"),
)
"""Commands that end well, in this order."""
ON_ONE_PAIR = (
    ("register", *PAIR, "--out", "pair", "--preset", "fast"),
    ("evaluate", "pair"),
    ("apply", "pair/transform.h5", PAIR[1], "--reference", PAIR[0], "--out", "carried.nii.gz"),
)
"""More of them, which take longer."""
TELL = (
    (("train",), "train"),
    (("demo",), "train"),
    (("infer", "--model", "lungs"), "train"),
    (("register", *PAIR, "--out", "other", "--model", "lungs"), "train"),
    (("infer", "--no-model", "--set", "infer.workers=2"), "cluster"),
    (("infer", "--model", "lungs", "--set", "infer.workers=2"), "train,cluster"),
    (("train", "--set", "train.workers=1"), "train,cluster"),
    (("setup", "--execute", "--set", "backend={kind: snowflake}"), "snowflake"),
    (("submit", "infer", "--set", "backend={kind: snowflake}"), "snowflake"),
)
"""Commands that end in one line, and the extras that it names."""


def run_core_commands(folder: str, *, quick: bool) -> None:
    """Run all of them in a folder.

    Args:
        folder: Empty.
        quick: Leave out those on one pair.

    Raises:
        AssertionError: One ends otherwise.
    """
    os.chdir(folder)
    for module in ("register", "apply"):
        import_module(f"lungreg.workflows.{module}")
    assert {"duckdb", "pyarrow"}.isdisjoint(sys.modules), "one pair needs no database"
    assert not [name for name in EXTRAS if has_extra(name)]
    assert all(getattr(lungreg, name) is not None for name in lungreg.__all__)
    Path("lungreg.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    warned = _Warnings()
    logging.getLogger().addHandler(warned)
    for name in ((), *((command,) for command in _commands())):
        _run(*name, "--help")
    for command in (*ON_ONE_MACHINE, *(() if quick else ON_ONE_PAIR)):
        _run(*command)
    assert [text for text in warned.texts if "Ray" in text] == [
        "workers auto means one process, since Ray is not installed; for more: "
        "python -m pip install 'lungreg[cluster]'"
    ]
    _report_and_show()
    for command, extras in TELL:
        said = _run(*command, code=1).strip().splitlines()[-1]
        assert said.startswith("lungreg: "), said
        assert f"python -m pip install 'lungreg[{extras}]'" in said, said


def _report_and_show() -> None:
    """The page of the run, and the figure of a case."""
    config = lungreg.load_config("lungreg.yaml")
    (run,) = Path("stage/runs").iterdir()
    assert (Path("stage") / lungreg.report(config, run.name)).is_file()
    (result, _) = open_backend(config.backend).results.rows(run.name)
    assert lungreg.show(result, config).axes


def _commands() -> list[str]:
    listed = CliRunner().invoke(build_app(), ["--help"]).output.partition("Commands:")[2]
    return [
        line.split()[0] for line in listed.splitlines() if line[:2] == "  " and line[2:3] != " "
    ]


def _run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(build_app(), list(arguments))
    assert done.exit_code == code, f"{arguments}: {done.exit_code}\n{done.output}"
    return done.output


class _Warnings(logging.Handler):
    """Keeps the text of every warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _size() -> str:
    """Number and megabytes of the installed distributions."""
    every = list(metadata.distributions())
    files = {file.locate() for one in every for file in one.files or ()}
    size = sum(Path(str(file)).stat().st_size for file in files if Path(str(file)).is_file())
    return f"{len(every)} distributions, {size / 1e6:.0f} MB"


if __name__ == "__main__":
    print(_size())  # noqa: T201  # the session is run for it
    with TemporaryDirectory() as temporary:
        run_core_commands(temporary, quick=False)
