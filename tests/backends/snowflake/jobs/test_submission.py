"""The strict wrapper, and the signatures that it stands on."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path

import pytest
from snowflake.ml.jobs import MLJob, get_job, submit_directory
from snowflake.ml.jobs._utils.option_parsing import warn_unknown_kwargs

from lungreg.backends.snowflake.jobs.submission import (
    KNOWN_OPTIONS,
    _nothing_dropped,
    submit_strictly,
)
from lungreg.errors import RunError


def test_the_client_has_the_signatures_that_we_call() -> None:
    """A release that changes them fails here, and not in an account."""
    parameters = inspect.signature(submit_directory).parameters
    assert list(parameters) == [
        *("dir_path", "compute_pool", "entrypoint", "stage_name", "args", "target_instances"),
        *("pip_requirements", "external_access_integrations", "session", "kwargs"),
    ]
    assert list(inspect.signature(get_job).parameters) == ["job_id", "session"]
    assert list(inspect.signature(MLJob.get_logs).parameters) == [
        *("self", "limit", "instance_id", "as_list", "verbose")
    ]
    assert isinstance(inspect.getattr_static(MLJob, "status"), property)
    assert list(inspect.signature(MLJob.cancel).parameters) == ["self"]


def test_the_client_documents_every_option_that_we_know() -> None:
    """Options outside its signature are named in its own description."""
    text = inspect.getdoc(submit_directory) or ""
    undocumented = {"overwrite", "spec_overrides"}
    assert all(f"{name} (" in text for name in KNOWN_OPTIONS - undocumented)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"entrypoint": "s.py", "stage_name": "@S", "target_instance": 2}, "target_instance"),
        ({"entrypoint": "s.py", "stage_name": "@S", "env_var": {}}, "env_var"),
        ({"entrypoint": "s.py"}, "stage_name"),
        ({"entrypoint": "s.py", "stage_name": "@S", "dir_path": "x"}, "dir_path"),
    ],
)
def test_a_mistyped_option_is_refused(
    tmp_path: Path, options: dict[str, object], fault: str
) -> None:
    """The client itself would submit the job without it."""
    with pytest.raises(RunError, match=fault):
        submit_strictly(tmp_path, "POOL", options)


def test_an_option_that_a_release_no_longer_knows_is_refused() -> None:
    """The client's own warning stops the submission, whatever level its logger has."""
    logging.getLogger("snowflake").setLevel(logging.ERROR)
    try:
        with _nothing_dropped(), pytest.raises(RunError, match="installed"):
            warn_unknown_kwargs({"comment": "x"})
    finally:
        logging.getLogger("snowflake").setLevel(logging.NOTSET)
