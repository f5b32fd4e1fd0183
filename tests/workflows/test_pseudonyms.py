"""A whole pipeline under pseudonyms: no name of a patient anywhere but in the key."""

from __future__ import annotations

import csv
import gzip
import logging
import shutil
import stat
from pathlib import Path

import nibabel as nib
import pytest
import yaml

from lungreg.config import Config, load_config, parse_config
from lungreg.errors import ConfigError
from lungreg.records import Status
from lungreg.stores.manifest import read_cases, read_manifest
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from tests.site import CASES, SETTINGS, Site

PATIENT = "MUSTERMANN"
NAMES = [f"{PATIENT}_{number}" for number in range(1, len(CASES) + 1)]
GROUPS = ["WARD_A", "WARD_A", "WARD_B", "WARD_C", "WARD_D", "WARD_E"]


@pytest.fixture
def site(cohort: Path, tmp_path: Path) -> Site:
    """The cohort under the name of a patient, in headers too, with groups and a broken pair."""
    folder = Path(shutil.copytree(cohort, tmp_path / "site"))
    for file in sorted((folder / "training").rglob("case_*")):
        number = int(file.name[5:8])
        file.rename(file.with_name(NAMES[number - 1] + file.name[8:]))
    first = folder / "training" / "scans" / f"{NAMES[0]}_exp.nii.gz"
    image = nib.load(first)
    image.header["descrip"] = PATIENT
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", PATIENT.encode()))
    nib.save(image, first)
    settings = {
        **SETTINGS,
        "ingest": {"source": "./training", "groups": "./groups.csv", "pseudonymise": True},
        "data": {"split": {"train": 0.7, "val": 0.3}},
        "infer": {**SETTINGS["infer"], "qc": True},
    }
    (folder / "groups.csv").write_text(
        "case_id,group\n" + "".join(f"{n},{g}\n" for n, g in zip(NAMES, GROUPS, strict=True))
    )
    (folder / "lungreg.yaml").write_text(yaml.safe_dump(settings))
    return Site(folder)


def key_of(site: Site) -> dict[tuple[str, str], str]:
    """Pseudonym by kind and id."""
    with (site.folder / "lungreg-key.csv").open(newline="") as file:
        return {(row["kind"], row["id"]): row["pseudonym"] for row in csv.DictReader(file)}


def assert_nameless(site: Site) -> None:
    """No file of the stage has a name of a patient or group in its name or, unpacked, in it."""
    stage = site.backend().stage
    files = [file.name for file in stage.list()]
    assert files
    for name in files:
        data = stage.read(name)
        text = (gzip.decompress(data) if name.endswith(".gz") else data) + name.encode()
        assert PATIENT.encode() not in text, name
        assert b"WARD_" not in text, name


def test_no_name_leaves_the_users_hands(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Ingest, train, infer, report: files, rows, pages, logs and progress know pseudonyms only."""
    caplog.set_level(logging.INFO)
    (site.scans / f"{NAMES[2]}_insp.nii.gz").write_bytes(b"no scan")
    outputs = [site.run("ingest"), site.run("train"), site.run("infer")]
    assert [done.code for done in outputs] == [3, 0, 0]
    run_id = site.backend().results.query("SELECT run_id FROM results")["run_id"][0].as_py()
    outputs += [site.run("report", run_id), site.run("results", "--json")]
    assert outputs[-2].code == 0
    for done in outputs:
        assert PATIENT not in done.out + done.err
    assert PATIENT not in caplog.text
    assert_nameless(site)

    key = key_of(site)
    assert stat.S_IMODE((site.folder / "lungreg-key.csv").stat().st_mode) == 0o600
    assert str(site.folder / "lungreg-key.csv") in outputs[0].out
    rows = site.backend().results.rows(run_id)
    known = {key["case", name] for name in NAMES}
    assert {row.case_id for row in rows} == known - {key["case", NAMES[2]]}
    assert all(row.status is Status.SUCCESS for row in rows)
    groups = {case.case_id: case.group for case in read_cases(site.backend().stage)}
    assert groups[key["case", NAMES[0]]] == groups[key["case", NAMES[1]]] == key["group", "WARD_A"]


def test_the_values_are_those_of_the_patient(site: Site, cohort: Path) -> None:
    """Each pseudonym stands for the right files."""
    ingest(site.config())
    key, stage = key_of(site), site.backend().stage
    for case_id, name in zip(CASES[1:], NAMES[1:], strict=True):
        source = cohort / "training" / "scans" / f"{case_id}_insp.nii.gz"
        assert stage.read(f"scansInsp/{key['case', name]}_insp.nii.gz") == source.read_bytes()


def test_a_second_run_finds_all_there_and_a_new_case_joins(site: Site) -> None:
    """The same case has the same name; the key grows by what is new."""
    files = sorted(site.scans.glob(f"{NAMES[5]}_*"))
    away = [file.rename(site.folder / file.name) for file in files]
    first = ingest(site.config())
    before = (site.folder / "lungreg-key.csv").read_bytes()
    for file in away:
        file.rename(site.scans / file.name)
    done = ingest(site.config())
    assert (len(first.rows), done.unchanged, len(done.rows)) == (5, 5, 6)
    assert (site.folder / "lungreg-key.csv").read_bytes().startswith(before)
    assert ingest(site.config()).uploaded == 0
    assert len(read_manifest(site.backend().stage)) == len(CASES)


def test_a_lost_key_stops_ingest_before_all_is_doubled(site: Site) -> None:
    """With a new key every case would come again; an empty file says that this is wanted."""
    ingest(site.config())
    key = site.folder / "lungreg-key.csv"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(ConfigError, match=r"bring back ingest\.key_file"):
        ingest(site.config())
    assert not key.exists()
    key.write_bytes(kept)
    key.chmod(0o600)
    assert ingest(site.config()).uploaded == 0


def test_names_that_are_on_the_stage_already_are_reported(site: Site) -> None:
    """Pseudonyms beside the names would be none."""
    ingest(site.config("ingest.pseudonymise=false"))
    with pytest.raises(ConfigError, match=f"got {len(CASES)} there already; ingest into an empty"):
        ingest(site.config())
    assert not (site.folder / "lungreg-key.csv").exists()


def test_the_order_of_names_does_not_show(site: Site) -> None:
    """Cases are taken by pseudonym: times in the manifest follow no alphabet."""
    events: list[Progress] = []
    ingest(site.config("ingest.threads=1"), on_progress=events.append)
    order = [event.note.partition(":")[0] for event in events]
    assert order == sorted(order)


def test_the_key_is_beside_the_configuration(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the command is given; a path of the file's is relative to the file."""
    monkeypatch.chdir(tmp_path)
    assert site.config().ingest.key_file == str(site.folder / "lungreg-key.csv")
    file = site.folder / "other.yaml"
    file.write_text("ingest: {pseudonymise: true, key_file: keys/k.csv}")
    assert load_config(file).ingest.key_file == str(site.folder / "keys" / "k.csv")
    assert Config().ingest.key_file is None


@pytest.mark.parametrize(
    ("key_file", "rule"),
    [("data/key.csv", "outside backend.root"), ("s3://bucket/key.csv", "a local file, not a URL")],
)
def test_the_key_stays_with_the_user(tmp_path: Path, key_file: str, rule: str) -> None:
    """Neither on the stage nor in a bucket."""
    file = key_file if "://" in key_file else str(tmp_path / key_file)
    raw = {"backend": {"root": str(tmp_path / "data")}, "ingest": {"key_file": file}}
    with pytest.raises(ConfigError, match=rule):
        parse_config(raw)
