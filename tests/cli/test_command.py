"""What all commands share: -c, --set, -v, -q, --json, errors and exit codes."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import pytest
import typer

from lungreg.cli.command import ConfigOptions, command, config_command
from lungreg.cli.console import Console
from lungreg.config import MODEL_NAME
from lungreg.distributed.cluster import Capacity
from tests.site import Site, run, runner

FORMATS = ("itk", "ants", "learn2reg")


def filled(line: str, site: Site, run_id: str) -> list[str]:
    """The command line with this site's run, folder and source of data."""
    return line.format(run=run_id, folder=site.folder, model=MODEL_NAME).split()


WORK = [
    "ingest -c {folder}/lungreg.yaml",
    "train -c {folder}/lungreg.yaml --set train.epochs=1",
    "infer -c {folder}/lungreg.yaml",
    "infer -c {folder}/lungreg.yaml --resume {run}",
    "simulate --out {folder}/more --cases 1 --shape 40 34 40 --spacing-mm 7.5 7.5 7.2",
]
QUESTIONS = [
    "results -c {folder}/lungreg.yaml",
    "results -c {folder}/lungreg.yaml --run {run}",
    "results -c {folder}/lungreg.yaml --export {folder}/rows.csv",
    "report {run} -c {folder}/lungreg.yaml",
    *[f"export {{run}} --format {f} -o {{folder}}/out -c {{folder}}/lungreg.yaml" for f in FORMATS],
    "apply {folder}/stage/runs/{run}/cases/case_001/displacement.nii.gz "
    "{folder}/stage/lungMasksInsp/case_001_insp.nii.gz --nearest -o {folder}/mask.nii.gz",
    "apply {folder}/stage/runs/{run}/cases/case_001/displacement.nii.gz "
    "{folder}/points.csv --frame voxel --direction moving-to-fixed -o {folder}/moved.fcsv",
    "models list -c {folder}/lungreg.yaml",
    "models show {model} -c {folder}/lungreg.yaml",
    "models promote {model} 1 -c {folder}/lungreg.yaml",
    "models export {model} 1 --out {folder}/model.zip -c {folder}/lungreg.yaml",
    "init {folder}/new.yaml",
    "config validate -c {folder}/lungreg.yaml",
    "config show -c {folder}/lungreg.yaml",
    "config schema",
]


@pytest.mark.parametrize("line", [*WORK, *QUESTIONS])
def test_json_is_one_document_and_nothing_else(finished: tuple[Site, str], line: str) -> None:
    """A program reads all of stdout as JSON; nothing goes to stderr."""
    done = run(*filled(line, *finished), "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) is not None
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("line", [*WORK, *QUESTIONS])
def test_quiet_says_no_more_than_doubtful_verdicts(finished: tuple[Site, str], line: str) -> None:
    """`-q`: nothing on stdout; on stderr one line, where a command gives verdicts that are no pass.

    A run that the user has named is not named again.
    """
    done = run(*filled(line, *finished), "-q")
    assert (done.code, done.out) == (0, "")
    told = {
        "infer": r"lungreg: run infer-\S+: 6 cases: 6 fail \(landmarks\)\n",
        "report": r"lungreg: 6 cases: 6 fail \(landmarks\)\n",
    }
    assert re.fullmatch(told.get(line.split(maxsplit=1)[0], ""), done.err)


@pytest.mark.parametrize("line", QUESTIONS)
def test_people_read_what_was_done(finished: tuple[Site, str], line: str) -> None:
    """Plain text where no terminal is, on stdout."""
    done = run(*filled(line, *finished))
    assert (done.code, done.err) == (0, "")
    assert done.out.strip()
    assert "\x1b" not in done.out


def test_verbose_shows_the_traceback_of_an_error(trained: Site) -> None:
    """And only verbose does; the last line stays the same."""
    plain, verbose = (trained.run("report", "infer-none", *v) for v in ((), ("-v",)))
    assert "Traceback" in verbose.err
    assert verbose.err.splitlines()[-1:] == plain.err.splitlines()


def test_everything_works_without_a_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults are used; a key that is needed and has none is named."""
    monkeypatch.chdir(tmp_path)
    assert run("config", "show").code == 0
    assert run("results", "--json").document == []
    assert run("models", "list", "--json").document == []
    done = run("ingest")
    assert (done.code, "set ingest.source" in done.err) == (1, True)
    settings = ("--set", "ingest.source=simulate", "--set", "ingest.simulated_cases=1")
    assert run("ingest", *settings, "-q").code == 0
    assert (tmp_path / "lungreg-data" / "scansExp" / "case_001_exp.nii.gz").is_file()


ASKING = [
    *("results", "results --run R", "report R", "evaluate R", "export R --format itk -o out"),
    *("cost R", "models list", "models show M", "models promote M 1", "jobs list", "setup"),
    *("models export M 1 --out m.zip", "config validate", "config show", "train", "infer"),
    *(
        "ingest",
        "infer --resume R",
        "train --resume R",
        "submit train",
        "teardown",
        "jobs status J",
    ),
]


@pytest.mark.parametrize("line", ASKING)
def test_defaults_are_told_and_no_store_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """Without a file one line on stderr says so, not with -q; the folder stays empty."""
    monkeypatch.chdir(tmp_path)
    if line == "train":  # it would start Ray four times, only to find no cases
        there = Capacity(cpus=2, gpus=0, memory_bytes=8 * 10**9)
        monkeypatch.setattr("lungreg.distributed.cluster.cluster", lambda: nullcontext(there))
    note = "no lungreg.yaml here: defaults are used (write one: lungreg init)\n"
    said, quiet = run(*line.split(), "--json"), run(*line.split(), "-q")
    assert said.err == note + quiet.err
    assert "defaults" not in said.out + quiet.err
    changed = run(*line.split(), "--set", "seed=1")
    assert changed.err.startswith("no lungreg.yaml here: defaults are used beside --set (")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "lungreg.yaml").touch()
    assert "defaults" not in run(*line.split()).err
    assert len(list(tmp_path.iterdir())) == 1


@command
def plain(console: Console, name: str, times: Annotated[int, typer.Option("--times")] = 1) -> None:
    """Repeat a name."""
    console.line(name * times)
    console.document({"name": name})


@config_command
def configured(console: Console, options: ConfigOptions, epochs: int | None = None) -> None:
    """Show the number of epochs."""
    more = [] if epochs is None else [f"train.epochs={epochs}"]
    console.document(options.config(*more).train.epochs)


def call(function: object, *arguments: str) -> str:
    app = typer.Typer()
    app.command()(function)
    result = runner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


class TestDecorators:
    def test_a_command_keeps_its_own_parameters_and_help(self) -> None:
        """They come first, in their order; then the common options."""
        assert call(plain, "ab", "--times", "2") == "abab\n"
        assert call(plain, "ab", "--json") == '{"name": "ab"}\n'
        assert call(plain, "ab", "-q") == ""
        text = call(plain, "--help")
        assert "Repeat a name." in text
        places = [text.index(name) for name in ("--times", "--verbose", "--quiet", "--json")]
        assert places == sorted(places)
        assert "--config" not in text
        assert "console" not in text

    def test_a_configuration_is_read_when_it_is_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From -c and --set; what the command itself adds wins."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.yaml").write_text("train: {epochs: 3}")
        assert json.loads(call(configured, "--json")) == 25
        assert json.loads(call(configured, "--json", "-c", "a.yaml")) == 3
        changed = ("--json", "-c", "a.yaml", "--set", "train.epochs=4")
        assert json.loads(call(configured, *changed)) == 4
        assert json.loads(call(configured, *changed, "--epochs", "5")) == 5
