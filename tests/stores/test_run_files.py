"""The configuration of a run, written to a stage and read back for a run that goes on."""

from __future__ import annotations

import json

import pytest

from lungreg.config import Config, parse_config
from lungreg.errors import RunError
from lungreg.stores.names import RunNames
from lungreg.stores.run_files import (
    new_run_id,
    read_config,
    read_history,
    read_split,
    write_config,
)
from lungreg.testing import MemoryStage

RUN = "infer-20260102-030405-abcdef"


def stored(stage: MemoryStage, **sections: object) -> Config:
    """A configuration that a run has left on the stage."""
    config = parse_config({"backend": {"root": "elsewhere"}, **sections})
    write_config(stage, RUN, config)
    return config


def test_what_belongs_to_the_machine_is_not_stored() -> None:
    """Neither the place of the stage nor a path of the source leaves the machine."""
    stage = MemoryStage()
    stored(stage, ingest={"source": "/home/erika"})
    text = stage.read(RunNames(RUN).config).decode()
    assert {"backend", "ingest"}.isdisjoint(json.loads(text))
    assert "erika" not in text


def test_a_run_goes_on_with_its_settings_here() -> None:
    """Settings are the run's; the backend and the size limit of scans are this machine's."""
    stage = MemoryStage()
    stored(stage, seed=7, ingest={"max_voxels": 5})
    here = parse_config({"backend": {"root": "here"}, "seed": 8, "ingest": {"max_voxels": 1000}})
    found = read_config(stage, RUN, here, kind="infer")
    assert found.seed == 7
    assert found.backend == here.backend
    assert found.ingest.max_voxels == 1000


@pytest.mark.parametrize("run_id", ["train-20260102-030405-abcdef", RUN, "infer-../x", ""])
def test_only_a_run_of_the_kind_is_read(run_id: str) -> None:
    """Another command's run, or one that is not there, is refused by name."""
    with pytest.raises(RunError, match="lungreg infer"):
        read_config(MemoryStage(), run_id, Config(), kind="infer")


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"3", b"\x00" * 40, b'"text"', b"\xff\xfe"])
def test_a_damaged_file_is_named(data: bytes) -> None:
    """After a power cut or a full disk: one line with the file, and never a traceback."""
    stage, names = MemoryStage(), RunNames(RUN)
    for file in (names.config, names.split, names.history):
        stage.write(file, data)
    with pytest.raises(RunError, match=r"got a damaged config\.json; restore it"):
        read_config(stage, RUN, Config(), kind="infer")
    with pytest.raises(RunError, match=r"^runs/.*/split\.json: .* damaged split\.json"):
        read_split(stage, RUN)
    with pytest.raises(RunError, match=r"damaged history\.json; delete it: the run's checkpoint"):
        read_history(stage, RUN)


def test_run_ids_sort_by_time_and_differ() -> None:
    """Two runs started in the same second have different names."""
    ids = {new_run_id("train") for _ in range(50)}
    assert len(ids) == 50
    assert all(RunNames(run_id).folder == f"runs/{run_id}" for run_id in ids)
