"""The commands: help, output for people and programs, exit codes, models carried about."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
import yaml

from lungreg import __version__
from lungreg.cli.app import build_app
from lungreg.config import Config
from lungreg.records import RESULT_COLUMNS
from lungreg.workflows.infer import infer
from tests.site import CASES, Site, run

MODEL = "lung_ct_registration"
FORMATS = ("itk", "ants", "learn2reg")


def paths(command: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command and group of the command line."""
    subcommands = getattr(command, "commands", {})
    inner = [paths(sub, (*before, name)) for name, sub in subcommands.items()]
    return [before, *(path for found in inner for path in found)]


COMMANDS = paths(typer.main.get_command(build_app()))


@pytest.fixture(scope="module")
def _finished(_trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = Path(shutil.copytree(_trained, tmp_path_factory.mktemp("finished") / "site"))
    return folder, infer(Site(folder).config("infer.qc=true")).run_id


@pytest.fixture
def finished(_finished: tuple[Path, str], tmp_path: Path) -> tuple[Site, str]:
    """A site with a run of infer, and the run's id."""
    folder, run_id = _finished
    site = Site(Path(shutil.copytree(folder, tmp_path / "site")))
    (site.folder / "points.csv").write_text("x,y,z,label\n20,16,20,carina\n")
    return site, run_id


def filled(command: str, site: Site, run_id: str) -> list[str]:
    """The command line with this site's run, folder and source of data."""
    return command.format(run=run_id, folder=site.folder, model=MODEL).split()


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


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    """`--help` and `-h`, exit code 0, with a sentence on what it does."""
    done = run(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage:" in done.out
    assert run(*path, "-h").out == done.out


def test_the_commands_are_those_of_the_documentation() -> None:
    """No more and no less."""
    assert {" ".join(path) for path in COMMANDS if path} == {
        *("simulate", "demo", "ingest", "train", "infer", "results", "report", "init", "doctor"),
        *("apply", "export", "evaluate", "register", "cost", "setup", "teardown", "submit"),
        *("jobs", "jobs list", "jobs status", "jobs follow", "jobs cancel"),
        *("config", "config validate", "config show", "config schema"),
        *("models", "models list", "models show", "models promote"),
        *("models export", "models import"),
    }


@pytest.mark.parametrize("command", [*WORK, *QUESTIONS])
def test_json_is_one_document_and_nothing_else(finished: tuple[Site, str], command: str) -> None:
    """A program reads all of stdout as JSON; nothing goes to stderr."""
    done = run(*filled(command, *finished), "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) is not None
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("command", [*WORK, *QUESTIONS])
def test_quiet_says_nothing(finished: tuple[Site, str], command: str) -> None:
    """`-q`: only errors are told."""
    done = run(*filled(command, *finished), "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("command", QUESTIONS)
def test_people_are_told_what_was_done(finished: tuple[Site, str], command: str) -> None:
    """Plain text where no terminal is, on stdout."""
    done = run(*filled(command, *finished))
    assert (done.code, done.err) == (0, "")
    assert done.out.strip()
    assert "\x1b" not in done.out


def test_progress_is_plain_lines_where_no_terminal_is(trained: Site) -> None:
    """One line for each case and epoch, with the run's id first: a killed run can be resumed."""
    lines = trained.run("infer").out.splitlines()
    assert lines[0].startswith("infer 0/6  run infer-")
    assert lines[1].startswith("infer 1/6  case_001: ")
    lines = trained.run("train").out.splitlines()
    assert lines[0].startswith("train 0/2  run train-")
    assert lines[2].startswith("train 2/2  loss ")


def test_figures_are_means_by_split_and_times(finished: tuple[Site, str]) -> None:
    """A table of cases, means for each split, time per case, and credits where rates are given."""
    site, _ = finished
    rates = ("--set", "cost={credits_per_node_hour: 2.68, nodes: 1, as_of: '2026-11-22'}")
    done = site.run("infer", *rates)
    assert "Means by split" in done.out
    for word in ("train", "val", "test", "s a case", "no GPU took part", "next: lungreg report"):
        assert word in done.out
    assert "0.14 credits on 4 nodes as quoted, 0.034 on the one node" in done.out
    assert [row["split"] for row in site.run("infer", "--json").document["cases"]] == [
        *["train"] * 4,
        "val",
        "test",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fly",), "No such command 'fly'"),
        (("infer", "--fast"), "No such option"),
        (("report",), "Missing argument 'RUN'"),
        (("simulate", "--out", "x", "--cases", "0"), "'--cases'"),
        (("simulate",), "Missing option '--out'"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    """With what is wrong and how to get help."""
    done = run(*arguments)
    assert done.code == 2
    assert says in " ".join(done.err.replace("│", " ").split())
    assert "Try" in done.err


def test_no_arguments_show_the_help() -> None:
    """As newcomers start."""
    assert "lungreg demo" in run().out


def test_the_version_is_that_of_the_package() -> None:
    """For reports of errors."""
    assert run("--version").out == f"lungreg {__version__}\n"


def test_verbose_shows_the_traceback_of_an_error(trained: Site) -> None:
    """And only verbose does; the last line stays the same."""
    plain, verbose = (trained.run("report", "infer-none", *v) for v in ((), ("-v",)))
    assert "Traceback" in verbose.err
    assert verbose.err.splitlines()[-1:] == plain.err.splitlines()


def test_a_report_of_an_unknown_run_is_refused(trained: Site) -> None:
    """What has results can be listed."""
    done = trained.run("report", "infer-none")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "lungreg: a run has results, got none for 'infer-none'; list runs with 'lungreg results'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("points.csv", "--order", "2"), "--order, --outside are for images, got --order"),
        (("mask.nii.gz", "--frame", "ras"), "for points, got --frame; to carry an image back"),
        (("mask.nii.gz", "--nearest", "--order", "0"), "for images without --nearest"),
    ],
)
def test_options_that_mean_nothing_for_an_input_are_refused(
    raw: Site, arguments: tuple[str, ...], says: str
) -> None:
    """Instead of being passed over."""
    done = run("apply", "transform.h5", *arguments, "--out", str(raw.folder / "out.nii.gz"))
    assert (done.code, done.out) == (1, "")
    assert says in done.err


def test_an_export_with_a_case_that_failed_is_exit_code_3(finished: tuple[Site, str]) -> None:
    """The others are written, and the reason is told."""
    site, run_id = finished
    site.backend().stage.delete(f"runs/{run_id}/cases/{CASES[0]}/displacement.json")
    done = site.run("export", run_id, "--format", "learn2reg", "-o", str(site.folder / "out"))
    assert done.code == 3
    assert f"{CASES[0]}" in done.out
    assert len(list((site.folder / "out").glob("disp_*.nii.gz"))) == len(CASES) - 1


def test_a_report_is_one_page_on_the_stage(finished: tuple[Site, str]) -> None:
    """Its place is printed, and it links to the pages of the cases."""
    site, run_id = finished
    done = site.run("report", run_id, "--json")
    page = Path(done.document["report"])
    assert page == site.folder / "stage" / "runs" / run_id / "report.html"
    text = page.read_text()
    assert f"cases/{CASES[0]}/qc.html" in text
    assert "research use only" in text.lower()
    copy = site.folder / "pages"
    assert f"open {copy / 'report.html'}" in site.run("report", run_id, "-o", str(copy)).out
    assert (copy / "report.html").read_text() == page.read_text()
    case_page = (copy / "cases" / CASES[0] / "qc.html").read_text(encoding="utf-8")
    assert "<dt>Lungs of the fixed scan</dt><dd>as its mask gives them</dd>" in case_page


def test_results_have_lower_case_keys_and_every_column(finished: tuple[Site, str]) -> None:
    """Also where the query asks for others; the order is that of the table."""
    site, run_id = finished
    rows = site.run("results", "--json").document
    assert [row["case_id"] for row in rows] == list(CASES)
    assert {tuple(row) for row in rows} == {RESULT_COLUMNS}
    assert {row["run_id"] for row in rows} == {run_id}
    sql = "SELECT COUNT(*) AS N, SUM(attempt) AS Total, 'nan'::DOUBLE AS X FROM RESULTS"
    assert site.run("results", "--json", "--sql", sql).document == [{"n": 6, "total": 6, "x": None}]


def test_results_are_exported(finished: tuple[Site, str], tmp_path: Path) -> None:
    """As Parquet with types, or as CSV; other suffixes are refused."""
    site, _ = finished
    sql = "SELECT case_id, dice_score, started_at FROM results ORDER BY case_id"
    for name in ("rows.parquet", "rows.csv"):
        done = site.run("results", "--sql", sql, "--export", str(tmp_path / name))
        assert (done.code, "6 rows written" in done.out) == (0, True)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table["case_id"].to_pylist() == list(CASES)
    with (tmp_path / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["dice_score"]) for row in rows] == table["dice_score"].to_pylist()
    done = site.run("results", "--export", str(tmp_path / "rows.xlsx"))
    assert (done.code, ".parquet or .csv" in done.err) == (1, True)
    done = site.run("results", "--export", str(tmp_path / "nowhere" / "rows.csv"))
    assert (done.code, "the export can be written" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "SQL must be a DuckDB query"),
        ("SELECT * FROM read_csv('/etc/passwd')", "SQL must be a DuckDB query"),
        ("SELECT nothing FROM results", "SQL must be a DuckDB query"),
        ("COPY results TO '/tmp/stolen.csv'", "SQL must be a DuckDB query"),
    ],
)
def test_sql_reaches_the_results_alone(finished: tuple[Site, str], sql: str, says: str) -> None:
    """What fails, or reaches for files, is refused in one line."""
    done = finished[0].run("results", "--sql", sql)
    assert (done.code, done.err.count("\n"), says in done.err) == (1, 1, True)


def test_a_query_and_a_run_exclude_each_other(finished: tuple[Site, str]) -> None:
    """The query can name the run itself."""
    site, run_id = finished
    done = site.run("results", "--run", run_id, "--sql", "SELECT 1")
    assert (done.code, "not both" in done.err) == (1, True)


def test_a_model_goes_to_another_site_and_gives_the_same_there(
    finished: tuple[Site, str], tmp_path: Path
) -> None:
    """Export, import, infer: weights, card and results are those of the first site."""
    site, run_id = finished
    file = tmp_path / "model.zip"
    assert site.run("models", "export", MODEL, "champion", "-o", str(file)).code == 0
    there = ("--set", f"backend.root={tmp_path}/other")
    assert site.run("ingest", *there).code == 0
    imported = site.run("models", "import", str(file), *there, "--json").document
    assert imported == {"model": MODEL, "version": "1"}
    assert site.run("models", "import", str(file), *there).out == f"imported as {MODEL} version 2\n"
    (first, second) = site.run("models", "list", *there, "--json").document
    assert (first["aliases"], second["aliases"]) == (["champion"], [])
    assert first["weights_sha256"] == second["weights_sha256"]
    theirs = site.run("infer", *there, "--json").document["cases"]
    ours = site.run("results", "--run", run_id, "--json").document
    for name in ("case_id", "split", "dice_score", "tre_mm"):
        assert [row[name] for row in theirs] == [row[name] for row in ours]


def test_promote_moves_the_champion(finished: tuple[Site, str]) -> None:
    """And only to a version that there is."""
    site, _ = finished
    assert site.run("train", "--set", "train.epochs=1", "-q").code == 0
    assert site.run("models", "show", MODEL, "--json").document["version"] == "1"
    assert site.run("models", "promote", MODEL, "latest").out == f"{MODEL}: champion is version 2\n"
    assert site.run("models", "show", MODEL, "--json").document["version"] == "2"
    assert site.run("models", "promote", MODEL, "1", "--alias", "site-a").code == 0
    assert site.run("models", "show", MODEL, "site-a", "--json").document["version"] == "1"
    for arguments in ((MODEL, "9"), (MODEL, "1", "--alias", "latest"), ("other", "1")):
        done = site.run("models", "promote", *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)


def rewrite(source: Path, target: Path, member: str, old: bytes, new: bytes) -> None:
    """The same zip with other bytes in one member, and a right CRC."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as changed:
        for name in archive.namelist():
            data = archive.read(name)
            assert name != member or old in data
            changed.writestr(name, data.replace(old, new, 1) if name == member else data)


@pytest.mark.parametrize(
    ("member", "old", "new"),
    [
        ("weights.safetensors", b"\x00\x00", b"\x00\x01"),
        ("card.json", b"research use only", b"fit for any use !"),
        ("SHA256SUMS", b"0", b"1"),
    ],
)
def test_a_model_file_that_was_tampered_with_is_refused(
    finished: tuple[Site, str], tmp_path: Path, member: str, old: bytes, new: bytes
) -> None:
    """Weights and card have the hashes that the file names; nothing is added."""
    site, _ = finished
    site.run("models", "export", MODEL, "1", "-o", str(tmp_path / "good.zip"))
    rewrite(tmp_path / "good.zip", tmp_path / "bad.zip", member, old, new)
    done = site.run("models", "import", str(tmp_path / "bad.zip"))
    assert done.code == 1
    assert "have the hashes in its SHA256SUMS" in done.err
    assert len(site.backend().models.list()) == 1


def test_what_is_no_model_file_is_refused(finished: tuple[Site, str], tmp_path: Path) -> None:
    """Missing, another file, cut off, a folder, another zip."""
    site, _ = finished
    site.run("models", "export", MODEL, "1", "-o", str(tmp_path / "good.zip"))
    (tmp_path / "text.zip").write_text("no model")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:-100])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no model")
    for name in ("missing.zip", "text.zip", "cut.zip", "other.zip", "."):
        done = site.run("models", "import", str(tmp_path / name))
        assert (done.code, done.err.count("\n")) == (1, 1)
        is_there = "an exported model is a file that is there" not in done.err
        assert is_there == ("an exported model is a zip file" in done.err) == (name[0] != "m")
    done = site.run("models", "export", MODEL, "1", "-o", str(tmp_path / "good.zip"))
    assert (done.code, "export writes a new file" in done.err) == (1, True)


def test_a_new_config_is_valid_and_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` writes ./lungreg.yaml, which the next commands find by themselves."""
    monkeypatch.chdir(tmp_path)
    assert run("init").code == 0
    text = (tmp_path / "lungreg.yaml").read_text()
    assert "# " in text
    assert run("config", "validate").out == "the configuration is valid\n"
    done = run("init")
    assert (done.code, "a new file" in done.err) == (1, True)
    assert (tmp_path / "lungreg.yaml").read_text() == text


def test_config_show_fills_in_all_defaults_and_can_be_read_again(raw: Site) -> None:
    """What it prints is a configuration of the same meaning."""
    done = raw.run("config", "show", "--set", "train.epochs=7")
    shown = yaml.safe_load(done.out)
    assert shown["train"]["epochs"] == 7
    assert shown["quality"]["dice_warn"] == Config().quality.dice_warn
    raw.config_file.write_text(done.out)
    assert raw.config() == raw.config("train.epochs=7")
    assert raw.run("config", "show", "--json").document == shown


def test_the_schema_documents_every_key() -> None:
    """Each key of each section says what it is."""
    schema = json.loads(run("config", "schema").out)
    assert run("config", "schema", "--json").document == schema
    assert schema["additionalProperties"] is False
    assert "epochs" in schema["$defs"]["Train"]["properties"]


def test_everything_works_without_a_config_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults stand in; what must be told is asked for."""
    monkeypatch.chdir(tmp_path)
    assert run("config", "show").code == 0
    assert run("results", "--json").document == []
    assert run("models", "list", "--json").document == []
    done = run("ingest")
    assert (done.code, "set ingest.source" in done.err) == (1, True)
    settings = ("--set", "ingest.source=simulate", "--set", "ingest.simulated_cases=1")
    assert run("ingest", *settings, "-q").code == 0
    assert (tmp_path / "lungreg-data" / "scansExp" / "case_001_exp.nii.gz").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_doctor_looks_at_everything_and_leaves_no_trace(finished: tuple[Site, str]) -> None:
    """Versions, device, Ray, stage, models, disk, memory; a mend for what is not well."""
    site, _ = finished
    before = sorted(site.folder.rglob("*"))
    checks = site.run("doctor", "--json").document
    assert {check["name"]: check["state"] for check in checks}.items() >= {
        "versions": "ok",
        "ray": "ok",
        "stage": "ok",
        "models": "ok",
    }.items()
    assert {"device", "disk", "memory"} < {check["name"] for check in checks}
    assert all(check["mend"] for check in checks if check["state"] != "ok")
    assert sorted(site.folder.rglob("*")) == before
    done = site.run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "reachable, writable, 6 cases" in done.out


@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_doctor_fails_on_a_stage_that_cannot_be_written(raw: Site) -> None:
    """Exit code 1, with the check that failed and what to do."""
    (raw.folder / "stage").write_text("a file")
    done = raw.run("doctor", "--json")
    assert done.code == 1
    (failed,) = [check for check in done.document if check["state"] == "fail"]
    assert failed["name"] == "stage"
    assert failed["mend"] == "set backend.root to a folder"
