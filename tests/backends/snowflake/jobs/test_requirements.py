"""What a job needs, and the wheels that travel with it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lungreg.backends.snowflake.jobs.requirements import (
    download_wheels,
    job_requirements,
    pinned_closure,
)
from lungreg.errors import RunError
from tests.backends.snowflake.jobs.wheels import make_wheel


def test_a_job_needs_what_lungreg_requires_but_for_the_local_backend() -> None:
    """All that training and a cluster need; MLflow is of the local backend alone."""
    asked = [Requirement(text) for text in job_requirements()]
    names = {req.name.lower() for req in asked}
    assert {"torch", "ray", "monai", "nibabel", "safetensors"} <= names
    assert "mlflow" not in names
    assert all(req.marker is None for req in asked)
    assert all(req.specifier for req in asked if not req.name.startswith("snowflake-"))
    (ray,) = [req for req in asked if req.name == "ray"]
    assert (ray.extras, bool(ray.specifier)) == (set(), True)
    bounds = {req.name: [one.operator for one in req.specifier] for req in asked}
    assert bounds["snowflake-ml-python"] == [">="]  # an image's older one is found at once
    assert bounds["snowflake-snowpark-python"] == []


def test_what_travels_leaves_out_the_engine() -> None:
    """All that lungreg needs in turn, at this installation's versions, without torch and ray."""
    pins = dict(text.split("==") for text in pinned_closure())
    assert pins["monai"] == metadata.version("monai")
    assert "markupsafe" in pins  # of jinja2: what packages need in turn is found
    assert not {"torch", "ray", "mlflow", "lungreg", "triton", "snowflake-ml-python"} & set(pins)


def test_pip_fetches_the_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own pip and its settings are used, and what it gives lies in the folder."""
    make_wheel(tmp_path / "index", "leaf", "1.0")
    make_wheel(tmp_path / "index", "leaf", "2.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    download_wheels(["leaf==1.0"], tmp_path / "wheels")
    assert [file.name for file in (tmp_path / "wheels").iterdir()] == ["leaf-1.0-py3-none-any.whl"]


def test_a_wheel_that_pip_cannot_download_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do instead."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(RunError, match=r"backend\.egress\.hosts"):
        download_wheels(["leaf==1.0"], tmp_path / "wheels")
