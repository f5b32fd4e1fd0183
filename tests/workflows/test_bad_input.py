"""Bad input, each kind for real: never a traceback, never a lost good case."""

from __future__ import annotations

import dataclasses
import gzip
import io
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from lungreg.stores.manifest import read_cases, read_manifest
from lungreg.testing import FaultyStage
from tests.site import CASES, SETTINGS, Outcome, Site

BAD = CASES[1]
GOOD = [case_id for case_id in CASES if case_id != BAD]
PIXDIM_X, SROW_X = 80, 280
"""Byte offsets in a NIfTI-1 header."""


def scan(site: Site) -> Path:
    """The expiration of the case that is made bad."""
    return site.scans / f"{BAD}_exp.nii.gz"


def mask(site: Site) -> Path:
    """Its lung mask."""
    return site.folder / "training" / "lungMasks" / f"{BAD}_exp.nii.gz"


def put(path: Path, values: NDArray[Any], affine: NDArray[Any] | None = None) -> None:
    """Replace a NIfTI file by one with these values on its affine, or on another."""
    matrix = nib.load(path).affine if affine is None else affine
    nib.save(nib.Nifti1Image(values, matrix), path)


def values(path: Path) -> NDArray[np.float32]:
    """What a NIfTI file holds."""
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)


def patch(path: Path, offset: int, *numbers: float) -> None:
    """Write float32 numbers into a header."""
    data = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(f"<{len(numbers)}f", data, offset, *numbers)
    path.write_bytes(gzip.compress(data))


def with_nan(site: Site) -> None:
    data = values(scan(site))
    data[3, 4, 5] = np.nan
    put(scan(site), data)


def rgb(site: Site) -> None:
    dtype = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    put(scan(site), np.zeros((40, 34, 40), dtype))


def other_grid(site: Site) -> None:
    affine = nib.load(mask(site)).affine.copy()
    affine[0, 3] += 5.0
    put(mask(site), values(mask(site)).astype(np.uint8), affine)


def declared_bomb(site: Site) -> None:
    """A few hundred bytes that declare 16 GB."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((2000, 2000, 2000))
    header["vox_offset"] = 352
    scan(site).write_bytes(gzip.compress(header.binaryblock + bytes(100_000)))


def undeclared_bomb(site: Site) -> None:
    """A scan that goes on for a gigabyte of zeros, in a megabyte."""
    out = io.BytesIO(scan(site).read_bytes())
    out.seek(0, io.SEEK_END)
    member = gzip.compress(bytes(2**26), 9)
    for _ in range(16):
        out.write(member)
    scan(site).write_bytes(out.getvalue())


def as_folder(site: Site) -> None:
    scan(site).unlink()
    scan(site).mkdir()


def twice(site: Site) -> None:
    plain = scan(site).with_suffix("")
    plain.write_bytes(gzip.decompress(scan(site).read_bytes()))


def far_landmarks(site: Site) -> None:
    file = site.folder / "training" / "keypoints" / f"{BAD}.csv"
    file.write_text("1000,1000,1000,1000,1000,1000\n" * 5)


SPOILED: list[tuple[str, Callable[[Site], object], str]] = [
    ("no fixed scan", lambda s: scan(s).unlink(), "missing_file: a case has a scan of expiration"),
    (
        "no moving scan",
        lambda s: (s.scans / f"{BAD}_insp.nii.gz").unlink(),
        "missing_file: a case has a scan of inspiration",
    ),
    (
        "truncated gzip",
        lambda s: scan(s).write_bytes(scan(s).read_bytes()[:-500]),
        "unreadable_file: fixed scan: ",
    ),
    (
        "damaged gzip",
        lambda s: scan(s).write_bytes(scan(s).read_bytes()[:-8] + bytes(8)),
        "unreadable_file: fixed scan: ",
    ),
    (
        "empty file",
        lambda s: scan(s).write_bytes(b""),
        "unreadable_file: fixed scan: the file must be NIfTI",
    ),
    (
        "not a NIfTI",
        lambda s: scan(s).write_bytes(b"%PDF-1.7 patient report"),
        "unreadable_file: fixed scan: the file must be NIfTI",
    ),
    (
        "4-D",
        lambda s: put(scan(s), np.zeros((9, 9, 9, 3))),
        "data: fixed scan: a volume has three dimensions",
    ),
    (
        "2-D",
        lambda s: put(scan(s), np.zeros((40, 34))),
        "data: fixed scan: a volume has three dimensions",
    ),
    (
        "complex",
        lambda s: put(scan(s), np.zeros((9, 9, 9), "c8")),
        "data: fixed scan: values must be real",
    ),
    ("RGB", rgb, "data: fixed scan: values must be single numbers, got a colour image"),
    ("NaN", with_nan, "data: fixed scan: every value of a scan is finite"),
    (
        "constant",
        lambda s: put(scan(s), np.full((40, 34, 40), 7.0)),
        "data: fixed scan: a scan is not const",
    ),
    (
        "zero spacing",
        lambda s: patch(scan(s), PIXDIM_X, 0.0),
        "data: fixed scan: the voxel spacing",
    ),
    (
        "negative spacing",
        lambda s: patch(scan(s), PIXDIM_X, -7.5),
        "data: fixed scan: the voxel spacing",
    ),
    (
        "singular affine",
        lambda s: patch(scan(s), SROW_X, 0, 0, 0, 0),
        "data: fixed scan: an affine",
    ),
    (
        "affine of NaN",
        lambda s: patch(scan(s), SROW_X, np.nan),
        "data: fixed scan: an affine is a finite",
    ),
    ("mask of another grid", other_grid, "data: fixed mask: a mask lies on its scan's grid"),
    (
        "mask of another shape",
        lambda s: put(mask(s), np.ones((9, 9, 9), "u1")),
        "data: fixed mask: a mask lies on its scan's grid",
    ),
    (
        "empty mask",
        lambda s: put(mask(s), np.zeros((40, 34, 40), "u1")),
        "data: fixed mask: a lung mask is neither empty nor full, got empty",
    ),
    (
        "full mask",
        lambda s: put(mask(s), np.ones((40, 34, 40), "u1")),
        "data: fixed mask: a lung mask is neither empty nor full, got full",
    ),
    (
        "scan as mask",
        lambda s: put(mask(s), values(scan(s)).astype(np.int16)),
        "data: fixed mask: labels of a mask are not negative",
    ),
    ("bomb in the header", declared_bomb, "unsafe_input: fixed scan: a volume has at most"),
    (
        "bomb behind the scan",
        undeclared_bomb,
        "unsafe_input: fixed scan: a file holds no more data",
    ),
    ("unreadable file", as_folder, "unreadable_file: fixed scan: a scan or mask of this name"),
    ("duplicate case id", twice, "data: a case has one file as fixed, got 2"),
    ("landmarks in mm", far_landmarks, "data: landmarks lie inside their scans"),
    (
        "landmarks that are text",
        lambda s: (s.folder / "training" / "keypoints" / f"{BAD}.csv").write_text("see report"),
        "data: landmarks: ",
    ),
]


@pytest.mark.parametrize(("spoil", "reason"), [pytest.param(f, r, id=n) for n, f, r in SPOILED])
def test_a_bad_pair_is_rejected_by_name_and_the_others_are_in(
    raw: Site, spoil: Callable[[Site], object], reason: str
) -> None:
    """Exit code 3, the reason in the manifest and on the console, five good cases on the stage."""
    spoil(raw)
    done = raw.run("ingest")
    assert (done.code, done.err) == (3, "")
    assert "5 on the stage" in done.out
    (rejected,) = [row for row in read_manifest(raw.backend().stage) if not row.files]
    assert rejected.case_id == BAD
    assert rejected.reasons[0].startswith(reason)
    assert str(raw.folder) not in rejected.reasons[0]
    assert [case.case_id for case in read_cases(raw.backend().stage)] == GOOD


def test_every_kind_of_bad_pair_at_once_leaves_the_good_one(raw: Site) -> None:
    """A cohort of which one pair is good is a cohort of one."""
    for case_id, content in zip(
        CASES[1:], (b"", b"x", b"\x1f\x8b", bytes(400), b"n+1"), strict=True
    ):
        (raw.scans / f"{case_id}_insp.nii.gz").write_bytes(content)
    assert raw.run("ingest").code == 3
    assert [case.case_id for case in read_cases(raw.backend().stage)] == [CASES[0]]


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
    page = Path(trained.run("report", run_id, "--json").document["report"]).read_text()
    assert "<b>&amp;%20#" not in page
    assert "&lt;b&gt;&amp;amp;%20#" in page
    one = trained.run("infer", "--json", "--cases", ODD[3])
    assert [row["case_id"] for row in one.document["cases"]] == [ODD[3]]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("line\nbreak", "no line break and no control character"),
        ("\x1b[2Jescape", "no line break and no control character"),
        ("latin-1 \udce9", "no line break and no control character"),
        ("n" * 190, "at most 200 bytes"),
        ("肺" * 70, "at most 200 bytes"),
        (" ", "a name without slashes"),
    ],
)
def test_a_name_that_no_stage_can_hold_is_refused_and_stops_nobody(
    raw: Site, name: str, reason: str
) -> None:
    """The console shows it without obeying it."""
    rename(raw, BAD, name)
    done = raw.run("ingest")
    assert done.code == 3
    assert reason in " ".join(re.sub(r"[│|]", " ", done.out).split())
    assert "\x1b" not in done.out
    assert "line\nbreak" not in done.out
    assert [case.case_id for case in read_cases(raw.backend().stage)] == GOOD


def assert_refused(done: Outcome, *says: str) -> None:
    """Exit code 1 and one line that says what and how to mend it."""
    assert done.code == 1
    assert "Traceback" not in done.out + done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("lungreg: ")
    for part in says:
        assert part in done.err


def zip_with(path: Path, name: str, content: bytes) -> Path:
    """A zip of one member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def tar_with_link(path: Path) -> Path:
    """A tar.gz of one link."""
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("scans")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda f: zip_with(f / "a.zip", "../evil.txt", b"x"), "lie inside its folder"),
        (lambda f: zip_with(f / "a.zip", "/evil.txt", b"x"), "lie inside its folder"),
        (lambda f: zip_with(f / "a.zip", "scans/a", bytes(2**26)), "unpacks to at most 0.05 GB"),
        (lambda f: tar_with_link(f / "a.tar.gz"), "files and folders only"),
        (lambda f: f / "nothing-here", "the source must be there"),
        (lambda f: zip_with(f / "a.zip", "readme.txt", b"x"), "layout 'zenodo' has scans/"),
    ],
    ids=["zip slip", "absolute name", "zip bomb", "link", "no source", "no cases"],
)
def test_a_bad_source_is_refused_in_one_line(
    raw: Site, tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    """Nothing is written beside the stage, and nothing to it."""
    source = make(tmp_path)
    settings = ("--set", f"ingest.source={source}", "--set", "ingest.max_unpacked_gb=0.05")
    assert_refused(raw.run("ingest", *settings), says)
    assert not list(tmp_path.rglob("evil.txt"))
    assert read_manifest(raw.backend().stage) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train: {epocs: 3}", "train.epocs: unknown key"),
        ("trane: {}", "trane: unknown key"),
        ("train: {epochs: many}", "train.epochs: must be a valid integer"),
        ("train: 5", "train: must be a mapping"),
        ("train: {epochs: -1}", "train.epochs: must be greater than or equal to 1, got -1"),
        ("preprocessing: {spatial_size: [50, 48, 48]}", "nearest legal size is (48, 48, 48)"),
        ("backend: {kind: floppy}", "backend.kind"),
        ("ingest: {layout: pattern}", "layout 'pattern' needs ingest.pattern"),
        ("infer: {workers: {min: 4, max: 2}}", "workers.max is at least workers.min"),
        ("just text", "a configuration is a mapping of keys"),
        ("a: [", "a configuration is YAML"),
        ("\x00", "a configuration is YAML"),
        (b"\xff\xfe\x00", "a configuration is YAML in UTF-8"),
    ],
)
def test_a_bad_config_is_refused_in_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    """Unknown keys, wrong types, impossible values: before anything is begun."""
    site = Site(tmp_path)
    site.config_file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("ingest", "train", "infer", "results"):
        assert_refused(site.run(command), says)
    assert list(tmp_path.iterdir()) == [site.config_file]


def test_a_config_that_is_not_there_is_refused(raw: Site) -> None:
    """And what writes one is said."""
    raw.config_file.unlink()
    assert_refused(raw.run("infer"), "a configuration file must exist", "lungreg init")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("preprocessing.spatial_size=[32, 32, 32]", "preprocessing.spatial_size is the model's"),
        ("network.num_channel_initial=8", "network.num_channel_initial is the model's own, 4"),
        ("network.norm=batch", "network.norm is the model's own, instance"),
        ("preprocessing.hu_window=[-900, 300]", "preprocessing.hu_window is the model's"),
        ("preprocessing.alignment=world", "infer.alignment changes it for one run"),
    ],
)
def test_a_config_that_contradicts_the_model_is_refused(trained: Site, key: str, says: str) -> None:
    """Preprocessing and network are the card's; what agrees with it may stand."""
    assert_refused(trained.run("infer", "--set", key), says, "leave")
    assert trained.run("infer", "--cases", CASES[0], "-q").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--set", "infer.version=7"), "there is 1, champion, latest"),
        (("--set", "infer.model=other"), "there is lung_ct_registration"),
        (("--cases", "case_001,case_999"), "case_999: cases asked for are on the stage"),
        (("--resume", "infer-20260101-000000-abcdef"), "'lungreg infer' has started"),
        (("--resume", "../../etc"), "'lungreg infer' has started"),
        (("--set", "infer.device=cuda:99"), "one that PyTorch sees"),
    ],
)
def test_what_does_not_exist_is_refused(
    trained: Site, arguments: tuple[str, ...], says: str
) -> None:
    """A version, a model, a case, a run, a device: with what there is instead."""
    assert_refused(trained.run("infer", *arguments), says)


def test_a_stage_without_cases_or_models_says_what_comes_first(ingested: Site) -> None:
    """Each command names the one before it."""
    empty = f"backend.root={ingested.folder}/empty"
    assert_refused(ingested.run("train", "--set", empty), "run 'lungreg ingest' first")
    assert_refused(ingested.run("infer"), "train one with 'lungreg train'")


def test_a_stage_that_is_a_file_is_refused(raw: Site) -> None:
    """It is no place for a cohort."""
    (raw.folder / "stage").write_text("")
    assert_refused(raw.run("ingest"), "the root of a local stage is a folder")


@pytest.mark.parametrize(
    ("command", "module"),
    [("ingest", "ingestion"), ("train", "learning"), ("infer", "inference")],
)
def test_a_full_disk_is_told_in_one_line(
    trained: Site, monkeypatch: pytest.MonkeyPatch, command: str, module: str
) -> None:
    """Nothing but the disk is blamed, and what is there stays."""
    backend = trained.backend()
    full = dataclasses.replace(backend, stage=FaultyStage(backend.stage, full_on=range(1, 10**6)))
    home = import_module(f"lungreg.workflows.{module}")
    monkeypatch.setattr(home, "open_backend", lambda _: full)
    (trained.scans / "case_001_exp.nii.gz").write_bytes(
        (trained.scans / "case_002_exp.nii.gz").read_bytes()
    )
    before = {file.name for file in backend.stage.list()}
    done = trained.run(command)
    assert done.code == 1
    assert "free disk space" in done.err
    assert done.err.count("\n") == 1
    assert {file.name for file in backend.stage.list()} == before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("folder", "spoil", "code"),
    [
        ("scansExp", truncate, "unreadable_file"),
        ("scansExp", Path.unlink, "not_found"),
        ("scansExp", make_folder, "not_found"),
        ("scansExp", lambda path: path.write_bytes(b"no scan"), "unreadable_file"),
        ("scansExp", lambda path: put(path, np.zeros((9, 9, 9, 3))), "data"),
        ("lungMasksExp", lambda path: put(path, np.ones((9, 9, 9), "u1")), "data"),
    ],
)
def test_a_case_that_went_bad_on_the_stage_fails_alone(
    trained: Site, folder: str, spoil: Callable[[Path], object], code: str
) -> None:
    """One failed row with a code and no path, five good results, exit code 3."""
    spoil(trained.folder / "stage" / folder / f"{BAD}_exp.nii.gz")
    done = trained.run("infer", "--json")
    assert (done.code, done.err) == (3, "")
    rows = {row["case_id"]: row for row in done.document["cases"]}
    assert (rows[BAD]["status"], rows[BAD]["error_code"]) == ("failed", code)
    assert BAD not in rows[BAD]["error_message"]
    assert "/" not in rows[BAD]["error_message"].replace("1/", "")
    assert [k for k, row in rows.items() if row["status"] == "success"] == GOOD


def test_a_damaged_model_is_refused(trained: Site) -> None:
    """Other bytes than its card names are never loaded."""
    weights = trained.folder / "stage/models/lung_ct_registration/1/weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert_refused(trained.run("infer"), "the SHA-256 on its card")


def test_a_damaged_table_is_named(trained: Site) -> None:
    """A half file in the results is said, with what to do."""
    assert trained.run("infer", "-q", "--cases", CASES[0]).code == 0
    (part,) = (trained.folder / "stage" / "runs").rglob("part-*.parquet")
    truncate(part) if part.stat().st_size > 1000 else part.write_bytes(b"PAR1")
    assert_refused(trained.run("results"), "a whole Parquet file", "delete the file")


def test_training_on_a_bad_file_says_which(trained: Site) -> None:
    """Training does not go on without a case of its split: the person decides."""
    truncate(trained.folder / "stage" / "scansExp" / f"{BAD}_exp.nii.gz")
    assert_refused(trained.run("train"), BAD)


def test_a_bad_file_in_a_config_with_good_overrides_is_still_bad(raw: Site) -> None:
    """Overrides come on top of a file that must be valid YAML itself."""
    raw.config_file.write_text(yaml.safe_dump(SETTINGS) + "\n\tbad: tab")
    assert_refused(raw.run("ingest", "--set", "seed=1"), "a configuration is YAML")
    raw.config_file.write_text(yaml.safe_dump(SETTINGS))
    for override in ("seed", "=1", "a..b=1", "seed=[", "train.epochs=0", "train=5"):
        assert_refused(raw.run("ingest", "--set", override))
