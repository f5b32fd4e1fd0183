"""Rows of bytes from anyone: the model registers them or says why not, without naming them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
import torch

from lungreg.backends.snowflake.models import row_registration
from lungreg.backends.snowflake.models.row_registration import RowRegistration
from lungreg.backends.snowflake.models.rows import (
    INPUT_FACTS,
    INPUT_FILES,
    NO_FILE,
    BatchOutput,
)
from lungreg.errors import ModelError, ResourceError
from lungreg.formats.nifti import encode_nifti
from lungreg.learning.network import build_network, weights_to_bytes
from lungreg.records import ModelCard, Status
from lungreg.stores.memory_stage import MemoryStage
from tests.small_cases import put_case, small_config

pytestmark = pytest.mark.usefixtures("one_thread")

PATIENT = "MUSTERMANN ERIKA"
CONFIG = small_config(infer={"qc": False})
WEIGHTS = weights_to_bytes(build_network(CONFIG.network))
CARD = ModelCard(
    name="lungs",
    version="3",
    config=CONFIG.model_dump(mode="json"),
    weights_sha256=hashlib.sha256(WEIGHTS).hexdigest(),
)
SETTINGS = json.dumps({"config": {"infer": {"qc": False}}})


def row(**changes: object) -> dict[str, Any]:
    """A whole case as a row."""
    stage = MemoryStage()
    case = put_case(stage, PATIENT, seed=1)
    files = {column: stage.read(getattr(case, name)) for name, column in INPUT_FILES.items()}
    facts = {column: getattr(case, name) for name, (column, _) in INPUT_FACTS.items()}
    return {"CASE_ID": PATIENT, **files, **facts, **changes}


def register(*rows: dict[str, Any], settings: str = SETTINGS) -> list[BatchOutput]:
    return [*RowRegistration(CARD, WEIGHTS).register(rows, settings)]


def bomb() -> bytes:
    """A few kilobytes that unpack to far more than any scan."""
    small = encode_nifti(np.zeros((4, 4, 4), dtype=np.int16), np.eye(4))
    import gzip

    plain = bytearray(gzip.decompress(small))
    plain[42:48] = np.array([20_000, 20_000, 20_000], dtype="<i2").tobytes()
    return gzip.compress(bytes(plain) + bytes(10_000_000))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"FIXED": b"\x1f\x8b" + b"no gzip"}, "unreadable_file"),
        ({"MOVING": b"no image at all"}, "unreadable_file"),
        ({"FIXED": bomb()}, "unsafe_input"),
        ({"MOVING": None}, "missing_file"),
        ({"MOVING": float("nan")}, "missing_file"),
        ({"FIXED": NO_FILE}, "missing_file"),
        ({"LANDMARKS": b"1,2,3"}, "data"),
        ({"CASE_ID": "../up"}, "data"),
    ],
)
def test_bad_bytes_give_a_failed_row(changes: dict[str, object], code: str) -> None:
    """One row has a code and a message that names nobody; the next row is registered."""
    failed, good = register(row(**changes), row())
    assert (failed.result.status, failed.result.error_code) == (Status.FAILED, code)
    assert failed.files == {}
    assert PATIENT not in str(failed.result.error_message)
    assert "files/" not in str(failed.result.error_message)
    assert good.result.status is Status.SUCCESS
    assert good.result.dice_score is not None


def test_a_file_larger_than_any_scan_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes has a cap of its own, before anything is decoded."""
    monkeypatch.setattr(row_registration, "MAX_FILE_BYTES", 1000)
    (failed,) = register(row())
    assert failed.result.error_code == "unsafe_input"


def test_a_case_may_lack_masks_and_landmarks() -> None:
    """Whatever stands for nothing is taken as nothing."""
    (done,) = register(row(FIXED_LABEL=None, MOVING_LABEL=NO_FILE, LANDMARKS=b""))
    assert done.result.status is Status.SUCCESS
    assert (done.result.dice_score, done.result.tre_mm) == (None, None)
    assert done.files.keys() == {
        *("registered_img.nii.gz", "displacement.nii.gz"),
        *("displacement.json", "metrics.json"),
    }


def test_the_run_s_settings_count_and_the_model_s_own_are_kept() -> None:
    """Name, version, page and refinement are the run's; the network's size is the model's."""
    asked = {
        "run_id": "infer-7",
        "version": "12",
        "config": {
            "infer": {"qc": True, "full_resolution_field": True},
            "preprocessing": {"spatial_size": [32, 32, 32]},
        },
    }
    (done,) = register(row(), settings=json.dumps(asked))
    assert (done.result.run_id, done.result.model_version) == ("infer-7", "12")
    assert b"infer-7" in done.files["metrics.json"]
    assert done.files["qc.html"].startswith(b"<!doctype html>")
    assert b"Lungs of the fixed scan</button></dt>" in done.files["qc.html"]
    assert len(done.files["displacement.nii.gz"]) > len(
        register(row())[0].files["displacement.nii.gz"]
    )


def test_weights_of_another_card_are_refused() -> None:
    """What was changed on its way registers nothing."""
    with pytest.raises(ModelError, match="SHA-256"):
        RowRegistration(CARD, WEIGHTS[:-1])


def test_a_job_that_asks_for_gpus_does_not_compute_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would take hours at the price of a GPU: the job fails with its first row."""
    monkeypatch.setattr(row_registration, "choose_device", lambda _: torch.device("cpu"))
    with pytest.raises(ResourceError, match=r"got no CUDA; see .*batch\.gpus: 0"):
        register(row(), settings=json.dumps({"gpus": 1}))
