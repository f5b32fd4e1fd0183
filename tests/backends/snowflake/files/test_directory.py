"""The directory table of a stage, refreshed after a step has written."""

from __future__ import annotations

import logging

import pytest

from lungreg.backends.snowflake import open_snowflake
from lungreg.config import SnowflakeBackend
from tests.backends.snowflake.peer import Peer


@pytest.mark.parametrize(
    ("step", "stage", "name"),
    [("ingest", "IMAGES", "scansExp/a_exp.nii.gz"), ("infer", "RUNS", "runs/r/report.html")],
)
def test_a_step_refreshes_the_directory_of_its_stage(
    settings: SnowflakeBackend, peer: Peer, step: str, stage: str, name: str
) -> None:
    """SQL on DIRECTORY(@stage) sees what was written, and no longer what was removed."""
    backend = open_snowflake(settings).for_run(None, step)
    schema = settings.utils_schema if stage == "IMAGES" else settings.results_schema
    folder = peer.stages.root / settings.database / schema / stage
    seen = peer.stages.directories.setdefault(folder, set())
    backend.stage.write(name, b"x")
    assert not seen
    backend.note_files()
    assert len(seen) == 1
    backend.stage.delete(name)
    backend.note_files()
    assert not seen


def test_a_refusal_fails_no_step(
    settings: SnowflakeBackend, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is only told: the files are there."""
    lost = settings.model_copy(update={"run_stage": "NOWHERE"})
    with caplog.at_level(logging.WARNING):
        open_snowflake(lost).for_run(None, "train").note_files()
    assert "NOWHERE is not refreshed" in caplog.text
