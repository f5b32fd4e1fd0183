"""The image of a job and its Python, known before anything is packed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs, start
from lungreg.backends.snowflake.jobs.image import RuntimeImage, python_of, this_python
from lungreg.backends.snowflake.jobs.payload import write_payload
from lungreg.config import SnowflakeBackend, parse_config
from lungreg.errors import RunError
from tests.backends.snowflake.jobs.service import IMAGE, JobService
from tests.backends.snowflake.peer import Peer


def on(jobs: SnowflakeJobs, runtime: str | None) -> str:
    """Submit a job with `backend.runtime`."""
    raw = {**jobs.source.settings.model_dump(mode="json", exclude_unset=True), "runtime": runtime}
    config = parse_config({"backend": raw})
    assert isinstance(config.backend, SnowflakeBackend)
    return SnowflakeJobs(SessionSource(config.backend)).submit(["train"], config)


@pytest.mark.parametrize(
    ("image", "python"),
    [
        (f"{IMAGE}:2.6.0", "3.10"),
        (f"{IMAGE}:2.6.0-py310", "3.10"),
        (f"{IMAGE}:2.6.0-py311", "3.11"),
        ("registry.example.org:443/db/sc/repo/image:3.0.1-py312", "3.12"),
        (f"{IMAGE}:py3.13-nightly", "3.13"),
        ("repo/image:of-our-own", None),
        (f"{IMAGE}:3.0.1", None),
        ("cre@default", None),
    ],
)
def test_a_tag_names_the_python(image: str, python: str | None) -> None:
    """Without "-py" a tag of numbers is 3.10, up to runtime 2; of others nothing is known."""
    assert python_of(image) == python


def test_without_a_runtime_the_image_is_that_of_this_python(
    jobs: SnowflakeJobs, service: JobService, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """What the account resolved is what the job is started on, and the log names it."""
    caplog.set_level("INFO", logger="lungreg")
    on(jobs, None)
    image = f"{IMAGE}:2.6.0-py{this_python().replace('.', '')}"
    asked = [item.text for item in peer.said("GET_ML_JOB_RUNTIME")]
    assert image in asked[-1]
    assert f"the job runs on {image}, Python {this_python()}" in caplog.text


@pytest.mark.parametrize(("runtime", "got"), [("2.6.0", "Python 3.10 in"), ("2.9", "none for 2.9")])
def test_an_image_that_cannot_fit_is_refused_before_anything_is_sent(
    jobs: SnowflakeJobs, service: JobService, peer: Peer, runtime: str, got: str
) -> None:
    """A bare tag is Python 3.10, and a short one may lead nowhere: both say what to set."""
    with pytest.raises(RunError, match=f"{got}.*such as 2.6.0-py311"):
        on(jobs, runtime)
    assert not peer.said("^PUT")


def test_wheels_are_for_the_python_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job on another Python than they were fetched for stops before pip is asked."""
    asked: list[str | None] = []
    name = "lungreg.backends.snowflake.jobs.payload"
    monkeypatch.setattr(f"{name}.pinned_closure", lambda python: asked.append(python) or [])
    monkeypatch.setattr(f"{name}.download_wheels", lambda _pins, _to, python: asked.append(python))
    config = parse_config({"backend": {"kind": "snowflake"}})
    assert isinstance(config.backend, SnowflakeBackend)
    write_payload(
        config, config.backend, tmp_path, pool="P", image=RuntimeImage(name="I", python="3.99")
    )
    about = json.loads((tmp_path / "job.json").read_text())
    assert (asked, about["python"]) == (["3.99", "3.99"], "3.99")
    monkeypatch.setattr(sys, "executable", "no-pip-is-run")
    with pytest.raises(SystemExit, match=r"for Python 3\.99, got 3\.\d+; set backend\.runtime"):
        start.install(tmp_path)
