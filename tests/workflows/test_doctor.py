"""Doctor's check of a stage that is not there yet, and what it reports to others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lungreg.backends import open_backend
from lungreg.config import BackendSettings, parse_config
from lungreg.errors import UnreadableFileError
from lungreg.stores import Backend, Check
from lungreg.workflows import doctor
from lungreg.workflows.progress import Progress


@pytest.fixture
def _no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ray", lambda _: Check(name="ray", state="ok", found=""))


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


def test_ray_is_not_started_where_the_configuration_never_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It takes seconds; that it is installed is still told."""

    def start() -> None:
        raise AssertionError

    pytest.importorskip("ray")
    monkeypatch.setattr("lungreg.distributed.cluster.cluster", start)
    alone = {"backend": {"root": str(tmp_path)}, "infer": {"workers": 0}, "train": {"workers": 0}}
    (check,) = [one for one in doctor.examine(parse_config(alone)) if one.name == "ray"]
    assert check.state == "ok"
    assert "not started, since infer.workers and train.workers are 0" in check.found
    one_of_them = parse_config({**alone, "train": {"workers": 1}})
    (check,) = [one for one in doctor.examine(one_of_them) if one.name == "ray"]
    assert check.state == "fail"


@pytest.mark.usefixtures("_no_ray")
def test_each_check_is_told_before_and_after_it(tmp_path: Path) -> None:
    """So that the slow one has a name while it runs."""
    told: list[Progress] = []
    config = parse_config({"backend": {"root": str(tmp_path)}})
    checks = doctor.examine(config, told.append)
    names = [event.step for event in told if event.done == 0]
    assert names == [check.name for check in checks]
    assert [event.step for event in told if event.done == 1] == names


@pytest.mark.usefixtures("_no_ray")
def test_checks_of_a_backend_are_a_step_where_it_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend in an account has; they are told before they begin."""
    told: list[Progress] = []

    class Account:
        def examine(self) -> list[Check]:
            assert (told[-1].step, told[-1].done) == ("backend", 0)
            return [Check(name="session", state="ok", found="")]

        def try_out(self) -> Iterator[Check]:
            raise NotImplementedError

    def opened(settings: BackendSettings) -> Backend:
        return replace(open_backend(settings), examiner=Account())

    monkeypatch.setattr(doctor, "open_backend", opened)
    checks = doctor.examine(parse_config({"backend": {"root": str(tmp_path)}}), told.append)
    assert checks[-1].name == "session"
    assert [event.step for event in told][-2:] == ["backend", "backend"]
