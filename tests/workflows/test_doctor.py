"""Doctor's check of a stage that is not there yet, and what it reports to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.config import parse_config
from lungreg.errors import UnreadableFileError
from lungreg.stores import Check
from lungreg.workflows import doctor


@pytest.fixture
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ray", lambda: Check(name="ray", state="ok", found=""))


def stage_check(root: object) -> Check:
    config = parse_config({"backend": {"root": str(root)}})
    (check,) = [check for check in doctor.examine(config) if check.name == "stage"]
    return check


@pytest.mark.usefixtures("_no_ray")
@pytest.mark.parametrize("form", ["{}/a/b", "file://{}/a/b"])
def test_a_stage_that_is_not_there_is_not_made(tmp_path: Path, form: str) -> None:
    """Whether it can be made is asked, and left to ingest."""
    check = stage_check(form.format(tmp_path))
    assert (check.state, check.found) == ("ok", "not made yet, can be made")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    check = stage_check(form.format(tmp_path / "file"))
    assert (check.state, check.where) == ("fail", str(tmp_path / "file/a/b"))
    assert "backend.root" in check.mend


def test_a_failed_check_keeps_its_place_apart() -> None:
    """`doctor --json` is sent to others: it has no path and no name."""
    error = UnreadableFileError("must open", got="noise", mend="mend it", where="/home/mueller")
    check = Check.failed("source", error)
    assert (check.found, check.mend, check.where) == (
        *("must open, got noise", "mend it"),
        "/home/mueller",
    )
