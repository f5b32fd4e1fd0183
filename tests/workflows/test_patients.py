"""What a model has seen, and who is one patient, depends neither on names nor on later files."""

from __future__ import annotations

import shutil

from lungreg.records import Split
from lungreg.stores.names import RunNames
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.train import train
from tests.site import CASES, Site, assert_refused


def test_a_table_that_names_no_case_is_refused(raw: Site) -> None:
    """Ids that a spreadsheet made numbers of; nothing is uploaded."""
    (raw.folder / "groups.csv").write_text("case_id,group\r\n1,P1\r\n2,P1\r\n")
    done = raw.run("ingest", "--set", f"ingest.groups={raw.folder / 'groups.csv'}")
    assert_refused(done, "none of 2 rows, such as '1'", "such as 'case_001'")
    assert raw.backend().stage.list() == []


def test_one_scan_under_two_ids_is_one_patient(raw: Site) -> None:
    """Told when it comes in, and refused where lists put it on two sides."""
    training = raw.folder / "training"
    for breath in ("exp", "insp"):
        source = raw.scans / f"{CASES[0]}_{breath}.nii.gz"
        shutil.copyfile(source, raw.scans / f"{CASES[5]}_{breath}.nii.gz")
        (training / "lungMasks" / f"{CASES[5]}_{breath}.nii.gz").unlink()
    (training / "keypoints" / f"{CASES[5]}.csv").unlink()
    done = raw.run("ingest")
    assert done.code == 0
    assert f"warning: {CASES[0]}, {CASES[5]} hold the same scan" in done.out
    assert_refused(raw.run("train"), "by the same scan", f"{CASES[0]}, {CASES[5]}")
    assert "hold the same scan" in raw.run("ingest").out


def test_a_pair_of_one_scan_is_told(raw: Site) -> None:
    """A wrong export: registered, it would be perfect."""
    shutil.copyfile(raw.scans / f"{CASES[0]}_exp.nii.gz", raw.scans / f"{CASES[0]}_insp.nii.gz")
    for breath in ("exp", "insp"):
        (raw.folder / "training" / "lungMasks" / f"{CASES[0]}_{breath}.nii.gz").unlink()
    row = ingest(raw.config()).rows[0]
    assert "same_scan: both scans of the case are one scan" in row.reasons
    alone = ("infer.model=null", "refine.enabled=false", "infer.qc=true")
    done = infer(raw.config(f"infer.cases=[{CASES[0]}]", *alone))
    page = raw.backend().stage.read(RunNames(done.run_id).case(CASES[0]).page)
    assert "both scans hold the same values" in page.decode()


def test_landmarks_that_come_later_make_no_case_unseen(raw: Site) -> None:
    """The case's files are others, its scans are the same: the model has learned from them."""
    points, kept = raw.folder / "training" / "keypoints", raw.folder / "kept"
    points.rename(kept)
    ingest(raw.config())
    train(raw.config("train.epochs=1"))
    kept.rename(points)
    assert ingest(raw.config()).uploaded > 0
    done = infer(raw.config(f"infer.cases=[{CASES[0]}, {CASES[4]}, {CASES[5]}]"))
    assert [row.split for row in done.results] == [Split.TRAIN, Split.VAL, Split.TEST]
    assert all(row.tre_mm is not None for row in done.results)
