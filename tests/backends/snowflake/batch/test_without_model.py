"""A run without a model on an account: Ray's workers do it, a batch job cannot."""

from __future__ import annotations

import pytest

from lungreg.errors import ConfigError
from lungreg.records import Status
from lungreg.stores import Backend
from lungreg.workflows.infer import infer
from tests.backends.snowflake.batch.cohort import CASES
from tests.small_cases import small_config


def test_rows_name_no_model(account: Backend) -> None:
    """The table takes NULL for name and version."""
    config = small_config(infer={"model": None, "qc": False}, refine={"enabled": False})
    done = infer(config, backend=account)
    assert sorted(row.case_id for row in done.results) == sorted(CASES)
    good = [row for row in done.results if row.status is Status.SUCCESS]
    assert good
    assert {(row.model_name, row.model_version) for row in done.results} == {(None, None)}


def test_a_batch_job_is_refused(account: Backend) -> None:
    """It runs a version of the registry: said before a run is begun, with two ways on."""
    config = small_config(infer={"model": None, "engine": "run-batch"})
    with pytest.raises(ConfigError, match=r"infer\.model null; set infer\.model, or use.*ray"):
        infer(config, backend=account)
    assert account.stage.list("runs") == []
