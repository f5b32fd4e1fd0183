"""A model that an earlier lungreg has logged is listed, exported and run by this one.

`model_of_164d8ca.zip` holds all files of such a version: `SnowflakeModelRegistry.add` of commit
164d8ca stored a network of one channel and 16 voxels a side (kaiming_uniform, seed 0) in that
commit's peer, with Python 3.11 and snowflake-ml-python 2.6.0. Its `lungreg.zip` is the package of
that commit, its `model.pkl` the class `PackagedModel` by value.
"""

from __future__ import annotations

import dataclasses
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from lungreg.backends.snowflake import open_snowflake
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.jobs import SnowflakeJobs
from lungreg.backends.snowflake.tables.result_sql import LATER_COLUMNS
from lungreg.config import SnowflakeBackend, parse_config
from lungreg.learning.stored_model import run_estimate
from lungreg.records import Status
from lungreg.stores import Backend
from lungreg.stores.manifest import write_manifest
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from tests.backends.snowflake.batch.cohort import figures, files_of_batches, manifest_row
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.models import Models
from tests.small_cases import put_case

STORED = Path(__file__).with_name("model_of_164d8ca.zip")
COMMENT = "lungreg: research use only, not a medical device"
METADATA = '{"metrics": {"val_loss": 0.5}, "snowpark_ml_schema_version": "2024-01-01"}'
CASE = "case_1"
runs_its_pickle = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the class is pickled by value, by Python 3.11"
)


@pytest.fixture
def account(peer: Peer, settings: SnowflakeBackend, tmp_path: Path) -> Backend:
    """An account with that model and one case."""
    with zipfile.ZipFile(STORED) as archive:
        archive.extractall(tmp_path / "model")
    model = f"{settings.database}.{settings.utils_schema}.LUNGS"
    Models(peer).put(model, "V1", tmp_path / "model", comment=COMMENT, metadata=METADATA)
    jobs = SnowflakeJobs(SessionSource(settings), pause_s=0.2)
    backend = dataclasses.replace(open_snowflake(settings), jobs=jobs, label=None)
    write_manifest(backend.stage, [manifest_row(backend.stage, put_case(backend.stage, CASE))])
    return backend


def run(account: Backend, engine: str) -> InferReport:
    """Register the case with the model; everything else is the model's or a default."""
    section = {"engine": engine, "model": "lungs", "workers": 0, "threads": 1, "device": "cpu"}
    return infer(parse_config({"infer": section}), backend=account)


def test_it_is_listed_and_its_weights_are_exported(account: Backend) -> None:
    """Card, version, champion and weights, which fit the network of the card."""
    (listed,) = account.models.list()
    assert (listed.card.name, listed.card.version) == ("lungs", "1")
    assert listed.aliases == ("champion",)
    card = account.models.resolve("lungs", "champion")
    assert card == listed.card
    assert card.run_id == "train-20260102-030405-abcdef"
    config = parse_config({key: card.config[key] for key in ("preprocessing", "network")})
    run_estimate(config, account.models.weights(card), torch.device("cpu"))


@runs_its_pickle
def test_a_batch_job_runs_its_own_code(account: Backend, peer: Peer) -> None:
    """The worker imports the package beside the model, and gives what this lungreg computes.

    But for the measures that its own code does not know.
    """
    service = BatchService(peer)
    here, there = run(account, "ray"), run(account, "run-batch")
    assert len(service.jobs) == 1
    (mine,), (its,) = here.results, there.results
    assert its.status is Status.SUCCESS
    assert its.worker.startswith("cpu-batch-")
    assert its.dice_score != its.dice_aligned  # the weights move something
    both = {name: value for name, value in figures(mine).items() if name not in LATER_COLUMNS}
    assert figures(its) == pytest.approx(both, rel=1e-4, abs=1e-4)
    for name in ("registered_img.nii.gz", "displacement.json", "metrics.json", "qc.html"):
        assert account.stage.exists(f"runs/{there.run_id}/cases/{CASE}/{name}")
    assert files_of_batches(account) == []
