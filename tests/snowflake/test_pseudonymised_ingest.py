"""Ingest under pseudonyms into an account: it never learns a patient's name."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

import nibabel as nib

from lungreg.backends.snowflake import open_snowflake
from lungreg.cases import read_cases
from lungreg.config import Config, Ingest, SnowflakeBackend
from lungreg.simulation import simulate_cohort
from lungreg.workflows.ingestion import ingest
from tests.snowflake.peer import Peer

PATIENT = "MUSTERMANN"


def named_pair(folder: Path) -> None:
    """One pair with the name of a patient in its file names, headers and gzip members."""
    simulate_cohort(folder, cases=1, seed=1, shape=(40, 34, 40), spacing_mm=(7.5, 7.5, 7.2))
    shutil.rmtree(folder / "displacements")
    for file in sorted(folder.rglob("case_001*")):
        target = file.with_name(file.name.replace("case_001", f"{PATIENT}_1"))
        file.rename(target)
        if target.name.endswith(".nii.gz"):
            image = nib.Nifti1Image.from_bytes(gzip.decompress(target.read_bytes()))
            image.header["descrip"] = PATIENT
            with target.open("wb") as raw, gzip.GzipFile(target.name, "wb", fileobj=raw) as packed:
                packed.write(image.to_bytes())


def test_no_statement_and_no_file_holds_a_name(
    settings: SnowflakeBackend, peer: Peer, tmp_path: Path
) -> None:
    """Not even the file statements, which carry case ids; a second run uploads nothing."""
    named_pair(tmp_path / PATIENT)
    config = Config(
        backend=settings,
        ingest=Ingest(
            source=str(tmp_path / PATIENT),
            pseudonymise=True,
            key_file=str(tmp_path / "key.csv"),
            threads=1,
        ),
    )
    assert ingest(config).uploaded == 5
    assert ingest(config).uploaded == 0
    with (tmp_path / "key.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["id"] == f"{PATIENT}_1"
    stage = open_snowflake(settings).stage
    (case,) = read_cases(stage)
    assert case.case_id == row["pseudonym"]
    for file in stage.list():
        data = stage.read(file.name)
        plain = gzip.decompress(data) if file.name.endswith(".gz") else data
        assert PATIENT.encode() not in plain + data + file.name.encode()
    said = " ".join(f"{s.text} {s.binds} {s.tag}" for s in peer.statements)
    assert row["pseudonym"] in said
    assert PATIENT not in said
