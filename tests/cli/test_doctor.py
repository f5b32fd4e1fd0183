"""lungreg doctor: checks of the machine and the stores."""

from __future__ import annotations

import pytest

from lungreg.errors import StoreError
from tests.site import Site, run


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
        "source": "ok",
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
    assert str(raw.folder) not in done.out
    assert failed["mend"] == "set backend.root to a folder"
    assert raw.folder.name not in done.out
    assert str(raw.folder.parent) not in done.out


def test_json_of_doctor_names_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for in public issues: paths and other libraries' words stay at the console."""
    from lungreg.stores import Check

    unseen = Check.failed("stage", StoreError("a rule", got="none", where="/home/doe/scans"))
    seen = Check(name="ray", state="fail", found="OSError", where="/home/doe/ray")
    monkeypatch.setattr("lungreg.workflows.doctor.examine", lambda *_: [unseen, seen])
    assert "doe" not in run("doctor", "--json").out
    told = run("doctor").out
    assert "/home/doe/scans" in told
    assert told.splitlines()[0] == "starting"


def test_quiet_names_what_failed_and_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each on stderr; nothing of what is well or could be better."""
    from lungreg.stores import Check

    error = StoreError("a rule", got="none", mend="mend it", where="/home/doe/scans")
    failed = Check.failed("stage", error)
    bare = Check(name="ray", state="fail", found="OSError")
    checks = [failed, bare, Check(name="disk", state="warn", found="1 GB", mend="free space")]
    monkeypatch.setattr("lungreg.workflows.doctor.examine", lambda *_: checks)
    done = run("doctor", "-q")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "lungreg: stage: /home/doe/scans: a rule, got none; mend it",
        "lungreg: ray: OSError",
    ]
    monkeypatch.setenv("LUNGREG_ANONYMOUS", "1")
    assert "doe" not in run("doctor", "-q").err
    monkeypatch.setattr("lungreg.workflows.doctor.examine", lambda *_: checks[2:])
    assert (run("doctor", "-q").code, run("doctor", "-q").err) == (0, "")
