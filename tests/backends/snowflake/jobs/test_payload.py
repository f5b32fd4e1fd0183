"""What is sent with a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lungreg.backends.snowflake.jobs import payload
from lungreg.backends.snowflake.jobs.payload import integrations_of, job_config, write_payload
from lungreg.config import Config, SnowflakeBackend, parse_config
from lungreg.errors import ConfigError
from tests.backends.snowflake.jobs.wheels import make_wheel

BACKEND = {"kind": "snowflake", "connection": "mine", "role": "LUNGREG_TRAIN", "database": "D"}


def settings_of(config: Config) -> SnowflakeBackend:
    assert isinstance(config.backend, SnowflakeBackend)
    return config.backend


def test_without_a_way_out_all_wheels_travel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that reaches nothing finds what it needs in its own folder."""
    make_wheel(tmp_path / "index", "leaf", "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    # The real list is some forty packages of an index: nothing to fetch in a test.
    monkeypatch.setattr(payload, "pinned_closure", lambda _python: ["leaf==1.0"])
    config = parse_config({"backend": {**BACKEND, "job_upgrades": ["numpy"]}})
    folder = tmp_path / "payload"
    folder.mkdir()
    write_payload(config, settings_of(config), folder, pool="LUNGREG_GPU")
    about = json.loads((folder / "job.json").read_text())
    assert (about["bundled"], about["upgrades"]) == (True, ["numpy"])
    assert [file.name for file in (folder / "wheels").iterdir()] == ["leaf-1.0-py3-none-any.whl"]
    assert not (folder / "requirements.txt").exists()  # the runtime would install it unasked


def test_with_hosts_the_job_installs_from_them(tmp_path: Path) -> None:
    """Only lungreg's own wheel travels, and the job is given the integration of setup."""
    backend = {**BACKEND, "integrations": ["A"], "egress": {"hosts": ["pypi.org:443"]}}
    config = parse_config({"backend": backend})
    write_payload(config, settings_of(config), tmp_path, pool="LUNGREG_GPU")
    assert json.loads((tmp_path / "job.json").read_text())["bundled"] is False
    assert not (tmp_path / "wheels").exists()
    assert integrations_of(settings_of(config)) == ["A", "LUNGREG_EGRESS"]


def test_with_a_repository_nothing_travels_and_a_notebook_has_its_wheels(tmp_path: Path) -> None:
    """A job installs from the account's artifact repository; a notebook's service has none."""
    pypi = "snowflake.snowpark.pypi_shared_repository"
    config = parse_config({"backend": {**BACKEND, "artifact_repositories": [pypi]}})
    write_payload(config, settings_of(config), tmp_path, pool="LUNGREG_GPU")
    about = json.loads((tmp_path / "job.json").read_text())
    assert (about["bundled"], about["python"], about["repositories"]) == (False, None, [pypi])
    assert not (tmp_path / "wheels").exists()
    assert integrations_of(settings_of(config)) == []
    with pytest.raises(ConfigError, match=r"DATABASE\.SCHEMA\.NAME"):
        parse_config({"backend": {**BACKEND, "artifact_repositories": ["pypi_shared_repository"]}})


def test_the_job_reads_what_was_set_and_no_more() -> None:
    """Defaults stay unset, since a set key is compared with the model's card."""
    config = parse_config({"backend": BACKEND, "ingest": {"source": "/x"}, "seed": 7})
    sent = job_config(config, pool="BIG")
    there = {"kind": "snowflake", "database": "D", "compute_pool": {"name": "BIG"}}
    assert sent == {"backend": there, "seed": 7}
    assert parse_config(sent).model_fields_set == {"backend", "seed"}


def test_a_job_heeds_the_size_limit_of_scans() -> None:
    """Of `ingest` it is the only key that loading a pair needs."""
    config = parse_config({"backend": BACKEND, "ingest": {"source": "/x", "max_voxels": 1000}})
    sent = job_config(config, pool="BIG")
    assert sent["ingest"] == {"max_voxels": 1000}
    assert parse_config(sent).ingest.max_voxels == 1000
