"""Bad pairs and sources: never a traceback, never a good case lost."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from lungreg.stores.manifest import read_cases, read_manifest
from tests.site import CASES, Site, assert_refused


def test_each_bad_pair_is_rejected_with_its_reason_and_the_good_one_is_in(raw: Site) -> None:
    """Exit code 3, the reasons in the manifest and on the console, no path in them.

    One kind from each place that checks: the layout (two), the decoder (two), the pair. The kinds
    themselves are tested with `sources` and `formats.volumes`.
    """
    scans, masks = raw.scans, raw.folder / "training" / "lungMasks"
    (scans / "case_001_insp.nii.gz").unlink()
    twice = scans / "case_002_exp.nii"
    twice.write_bytes(gzip.decompress(twice.with_suffix(".nii.gz").read_bytes()))
    cut = scans / "case_003_exp.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-500])
    go_on_for_a_gigabyte(scans / "case_004_insp.nii.gz")
    shift_by_5_mm(masks / "case_005_exp.nii.gz")
    done = raw.run("ingest")
    assert (done.code, done.err) == (3, "")
    assert "1 on the stage" in done.out
    rejected = {row.case_id: row.reasons for row in read_manifest(raw.backend().stage)}
    for case_id, reason in {
        "case_001": "missing_file: a case has a scan of inspiration",
        "case_002": "data: a case has one file as fixed, got 2",
        "case_003": "unreadable_file: fixed scan: ",
        "case_004": "unsafe_input: moving scan: a file holds no more data",
        "case_005": "data: fixed mask: a mask lies on its scan's grid",
    }.items():
        assert rejected[case_id][0].startswith(reason)
        assert str(raw.folder) not in rejected[case_id][0]
    assert [case.case_id for case in read_cases(raw.backend().stage)] == [CASES[5]]


def go_on_for_a_gigabyte(scan: Path) -> None:
    """Add zeros to a scan, in a megabyte."""
    out = io.BytesIO(scan.read_bytes())
    out.seek(0, io.SEEK_END)
    member = gzip.compress(bytes(2**26), 9)
    for _ in range(16):
        out.write(member)
    scan.write_bytes(out.getvalue())


def shift_by_5_mm(mask: Path) -> None:
    """Lay a mask beside its scan."""
    image = nib.load(mask)
    affine = image.affine.copy()
    affine[0, 3] += 5.0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj, dtype=np.uint8), affine), mask)


ODD = [
    "with space",
    'quote\'s "double"',
    "肺 ünïcödé",
    "-rf; echo $HOME",
    "<b>&amp;%20#",
    "a,b=[c]",
]


def rename(site: Site, old: str, new: str) -> None:
    """Give a case another id."""
    for folder in ("scans", "lungMasks"):
        for breath in ("exp", "insp"):
            file = site.folder / "training" / folder / f"{old}_{breath}.nii.gz"
            file.rename(file.with_name(f"{new}_{breath}.nii.gz"))
    file = site.folder / "training" / "keypoints" / f"{old}.csv"
    file.rename(file.with_name(f"{new}.csv"))


def test_odd_names_go_through_the_whole_pipeline(trained: Site) -> None:
    """Spaces, quotes, unicode and what shells, HTML and SQL take for their own."""
    for old, new in zip(CASES, ODD, strict=True):
        rename(trained, old, new)
    trained.backend().stage.write("marker", b"")
    for file in trained.backend().stage.list("manifest"):
        trained.backend().stage.delete(file.name)
    assert trained.run("ingest").code == 0
    done = trained.run("infer", "--json", "--set", "infer.qc=true")
    assert done.code == 0
    assert sorted(row["case_id"] for row in done.document["cases"]) == sorted(ODD)
    run_id = done.document["run_id"]
    page = Path(trained.run("report", run_id, "--json").document["report"]).read_text(
        encoding="utf-8"
    )
    assert "<b>&amp;%20#" not in page
    assert "&lt;b&gt;&amp;amp;%20#" in page
    one = trained.run("infer", "--json", "--cases", ODD[3])
    assert [row["case_id"] for row in one.document["cases"]] == [ODD[3]]


def test_names_that_no_stage_can_hold_are_refused_and_stop_nobody(raw: Site) -> None:
    """The console shows them without obeying them."""
    rename(raw, CASES[1], "line\nbreak")
    rename(raw, CASES[2], "\x1b[2Jescape")
    rename(raw, CASES[3], "肺" * 70)
    done = raw.run("ingest")
    assert done.code == 3
    shown = " ".join(re.sub(r"[│|]", " ", done.out).split())
    assert "no line break and no control character" in shown
    assert "at most 200 bytes" in shown
    assert "\x1b" not in done.out
    assert "line\nbreak" not in done.out
    good = [CASES[0], *CASES[4:]]
    assert [case.case_id for case in read_cases(raw.backend().stage)] == good


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("../evil.txt", b"x", "lie inside its folder"),
        ("scans/a", bytes(2**26), "unpacks to at most 0.05 GB"),
        ("readme.txt", b"x", "layout 'zenodo' has scans/"),
        (None, b"", "the source must be there"),
    ],
    ids=["zip slip", "zip bomb", "no cases", "no source"],
)
def test_a_bad_source_is_refused_in_one_line(
    raw: Site, tmp_path: Path, name: str | None, content: bytes, says: str
) -> None:
    """Nothing is written beside the stage, and nothing to it."""
    source = tmp_path / "source.zip"
    if name is not None:
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
    settings = ("--set", f"ingest.source={source}", "--set", "ingest.max_unpacked_gb=0.05")
    assert_refused(raw.run("ingest", *settings), says)
    assert not list(tmp_path.rglob("evil.txt"))
    assert read_manifest(raw.backend().stage) == []


def test_a_stage_that_is_a_file_is_refused(raw: Site) -> None:
    """It is no place for a cohort."""
    (raw.folder / "stage").write_text("")
    assert_refused(raw.run("ingest"), "the root of a local stage is a folder")
