"""The manifest as a script reads it."""

from __future__ import annotations

import gzip

from lungreg.backends import open_backend
from lungreg.cases import read_cases, read_manifest
from lungreg.records import Verdict
from tests.site import CASES, Site


def test_a_script_reads_what_ingest_found(raw: Site) -> None:
    """Usable cases have files, a rejected one has none and says why."""
    (raw.scans / f"{CASES[0]}_exp.nii.gz").write_bytes(gzip.compress(b"no scan"))
    raw.run("ingest")
    stage = open_backend(raw.config().backend).stage
    rows = {row.case_id: row for row in read_manifest(stage)}
    assert sorted(rows) == sorted(CASES)
    assert rows[CASES[0]].verdict is Verdict.REJECT
    assert not rows[CASES[0]].files
    assert rows[CASES[0]].reasons
    assert [case.case_id for case in read_cases(stage)] == sorted(CASES[1:])
