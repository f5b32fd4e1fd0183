"""Nothing leaves the machine, and what is kept beside the results names nobody."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from lungreg.errors import LungregError
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.train import train
from tests.site import SETTINGS, Site

WATCHED = Path(__file__).parent / "watched"
PATIENT = "MUSTERMANN"
NAMES = [f"{PATIENT}_{number}" for number in range(1, 7)]


def own_addresses() -> set[str]:
    """The addresses of this machine, and of every machine to itself."""
    found = {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return found | {"127.0.0.1", "::1"}


@pytest.fixture
def patients(cohort: Path, tmp_path: Path) -> Site:
    """The cohort under the name of a patient, tracked with MLflow; nothing is ingested yet."""
    folder = Path(shutil.copytree(cohort, tmp_path / "site"))
    for file in sorted((folder / "training").rglob("case_*")):
        number = int(file.name[5:8])
        file.rename(file.with_name(NAMES[number - 1] + file.name[8:]))
    settings = {
        **SETTINGS,
        "backend": {"root": "./stage", "tracking": True},
        "data": {"split": {"train": NAMES[:4], "val": [NAMES[4]], "test": [NAMES[5]]}},
    }
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(settings))
    return Site(folder)


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """A folder for Ray's own files; names of sockets in it must be short."""
    folder = Path(tempfile.mkdtemp(prefix="lr-"))
    yield folder
    shutil.rmtree(folder)


def watch(process: subprocess.Popen[str]) -> set[str]:
    """Remote addresses of the process and of all that it starts, Python or not, as seen."""
    seen: set[str] = set()
    while process.poll() is None:
        try:
            found = [process.pid, *(c.pid for c in psutil.Process(process.pid).children(True))]
        except psutil.NoSuchProcess:
            break
        for pid in found:
            try:
                connections = psutil.Process(pid).net_connections("inet")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            seen |= {c.raddr.ip.removeprefix("::ffff:") for c in connections if c.raddr}
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            continue
    return seen


def test_the_watch_sees_what_goes_out(tmp_path: Path) -> None:
    """A call to another host is written down, one to this machine as such."""
    code = """if True:
        import socket
        for host in ("192.0.2.1", "127.0.0.1"):
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                probe.connect((host, 9))
            except OSError:
                pass
            probe.close()
    """
    environment = {"PYTHONPATH": str(WATCHED), "LUNGREG_WATCH": str(tmp_path / "events")}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, check=True)
    kinds = [line.split()[::2] for line in (tmp_path / "events").read_text().splitlines()]
    assert [kind for kind, *_ in kinds] == ["start", "remote", "local"]


@pytest.mark.parametrize("chosen", [None, "1"])
def test_usage_statistics_are_off_unless_the_user_wants_them(chosen: str | None) -> None:
    """From the first import on, before Ray and MLflow are imported by anyone."""
    switches = ("RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {k: v for k, v in os.environ.items() if k not in switches}
    if chosen is not None:
        environment["RAY_USAGE_STATS_ENABLED"] = chosen
    code = f"import lungreg.cli, os; print([os.environ[s] for s in {switches}])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([chosen or "0", "true", "true"])


STEPS = """
import os
import shutil
import sys
from pathlib import Path

from lungreg.cli import main
from lungreg.distributed.cluster import cluster


def run(*arguments, code=0):
    sys.argv = ["lungreg", *arguments, "--json"]
    try:
        main()
    except SystemExit as end:
        assert (end.code or 0) == code, (arguments, end.code)


run("simulate", "--out", "more", "--cases", "1", "--shape", "40", "34", "40",
    "--spacing-mm", "7.5", "7.5", "7.2")
run("ingest")
with cluster():  # one for both commands: they join it
    run("train", "--set", "train.workers=1")
    broken = Path(sys.orig_argv[-1])
    broken.write_bytes(broken.read_bytes()[:1000])
    run("infer", "--set", "infer.workers=1", "--set", "infer.qc=true", code=3)
    own = Path(os.environ["RAY_TMPDIR"])  # removed with the cluster: what is in it now is looked at
    shutil.copytree(own, "ray", symlinks=True, ignore=shutil.ignore_patterns("sockets"))
(infer,) = Path("stage/runs").glob("infer-*")
run("report", infer.name)
"""


@pytest.mark.slow
def test_no_command_calls_another_host_or_imports_snowflake(
    patients: Site, ray_folder: Path
) -> None:
    """Simulate, ingest, train on Ray, infer with a pool, report: watched from inside and outside.

    What Ray writes and MLflow keeps of it names no patient, and nothing of Ray stays.
    """
    events = patients.folder / "events"
    switches = ("RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
    environment = {
        **dict.fromkeys(switches),  # off for the tests, but not so for a user
        "PYTHONPATH": os.pathsep.join(filter(None, [str(WATCHED), os.environ.get("PYTHONPATH")])),
        "LUNGREG_WATCH": str(events),
        "LUNGREG_OWN_ADDRESSES": ",".join(own_addresses()),
        "RAY_TMPDIR": str(ray_folder),
    }
    broken = patients.folder / "stage" / "scansExp" / f"{NAMES[2]}_exp.nii.gz"
    process = patients.start_python(STEPS, str(broken), **environment)
    peers = watch(process)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")

    assert peers <= own_addresses()
    lines = [line.split(" ", 2) for line in events.read_text().splitlines()]
    assert [line for line in lines if line[0] in ("remote", "import")] == []
    assert any(line[0] == "local" for line in lines)
    assert any(line[0] == "start" and "default_worker.py" in line[2] for line in lines)

    assert_nameless(patients.folder / "ray")
    assert list(ray_folder.iterdir()) == []
    errors = patients.backend().results.query("SELECT error_message FROM results")
    (message,) = [m for m in errors["error_message"].to_pylist() if m]
    assert_clean(message, patients)
    assert_tracker_clean(patients)


def assert_clean(text: str, site: Site) -> None:
    """No case id and no path."""
    assert PATIENT not in text
    assert str(site.folder) not in text


def assert_nameless(ray_folder: Path) -> None:
    """Ray's logs hold no name of a case."""
    logs = [path for path in ray_folder.rglob("*") if path.is_file()]
    assert len(logs) > 10
    assert [path.name for path in logs if PATIENT.encode() in path.read_bytes()] == []


def assert_tracker_clean(site: Site) -> None:
    """MLflow holds the run's settings and curves, and in them neither case ids nor paths."""
    with sqlite3.connect(site.folder / "stage" / "mlflow" / "mlflow.db") as database:
        kept = {
            table: database.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("params", "metrics", "latest_metrics", "tags")
        }
    database.close()
    assert all(kept.values())
    assert_clean(str(kept), site)


def test_logs_name_no_case_and_no_path(
    patients: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From INFO on, whatever goes wrong: a rejected pair, a failed case, a training that ends."""
    caplog.set_level(logging.INFO)
    untracked = "backend.tracking=false"
    (patients.scans / f"{NAMES[0]}_exp.nii.gz").write_bytes(b"")
    (patients.scans / "stray.txt").write_text("")
    ingest(patients.config(untracked))
    splits = f"data.split={{train: {NAMES[1:4]}, val: [{NAMES[4]}], test: [{NAMES[5]}]}}"
    train(patients.config(untracked, splits))
    broken = patients.folder / "stage" / "scansExp" / f"{NAMES[2]}_exp.nii.gz"
    broken.write_bytes(b"no scan")
    assert len(infer(patients.config(untracked)).failed) == 1
    with pytest.raises(LungregError):
        train(patients.config(untracked, splits))
    assert_clean(caplog.text, patients)


def test_rows_and_manifest_keep_reasons_without_names(patients: Site) -> None:
    """The columns of errors are for tables that others read."""
    (patients.scans / f"{NAMES[0]}_exp.nii.gz").write_bytes(b"no scan")
    (rejected,) = ingest(patients.config()).rejected
    assert_clean(" ".join(rejected.reasons), patients)


def test_in_a_log_that_others_read_no_command_names_a_case(
    patients: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As jobs run: progress is shown by number and verdict; errors leave out what they are on."""
    monkeypatch.setenv("LUNGREG_ANONYMOUS", "1")
    shown = []
    for step in (("ingest",), ("train",), ("infer", "--cases", f"{PATIENT}_99"), ("infer", "-v")):
        done = patients.run(*step)
        shown.append(done.out + done.err)
        assert shown[-1].strip()
        assert PATIENT not in shown[-1]
    lines = shown[-1].splitlines()
    assert lines[0].startswith("infer 0/6  run infer-")
    assert lines[1].startswith("infer 1/6  ")
