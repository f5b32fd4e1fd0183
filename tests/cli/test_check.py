"""lungreg check: what it says with -q; its checks are in tests/backends/snowflake/check."""

from __future__ import annotations

import pytest

from lungreg.stores import Check
from tests.site import run


def test_quiet_names_what_failed_and_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `doctor` does."""
    failed = Check(
        name="stage RUNS", state="fail", found="refused", mend="GRANT READ ON STAGE RUNS"
    )
    checks = [Check(name="session", state="ok", found="role"), failed]
    monkeypatch.setattr("lungreg.workflows.check.check_here", lambda *_: checks)
    done = run("check", "-q")
    assert (done.code, done.out) == (1, "")
    assert done.err == "lungreg: stage RUNS: refused; GRANT READ ON STAGE RUNS\n"
    monkeypatch.setattr("lungreg.workflows.check.check_here", lambda *_: checks[:1])
    done = run("check", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
