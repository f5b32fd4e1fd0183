"""A person's whole work in an account, and the same cases on this machine, for tests to read."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml

from lungreg.records import CaseResult
from lungreg.sources.simulation import simulate_cohort
from tests.backends.snowflake.conftest import CONNECTION
from tests.backends.snowflake.jobs.working import WorkingJobs
from tests.backends.snowflake.peer import Peer, Statement
from tests.backends.snowflake.peer.batch import BatchService
from tests.backends.snowflake.peer.experiments import Experiments
from tests.backends.snowflake.peer.models import Models
from tests.backends.snowflake.setup.account import Account
from tests.site import Outcome, Site

PATIENT = "MUSTERMANN"
PLAIN, OFFSET, BARE, BROKEN = (f"{PATIENT} {name}" for name in ("ERIKA", "MAX", "O'NEIL", "ZOE"))
"""A whole pair; one stored with an offset; one without masks and landmarks; one damaged later."""
NAMES = (PLAIN, OFFSET, BARE, BROKEN)
DATABASE = "PIPELINE"
MODEL = "lung_ct_registration"
SQL = "SELECT case_id, model_version, dice_score, ssim_score FROM results ORDER BY dice_score DESC"
SETTINGS: dict[str, Any] = {
    "seed": 3,
    "ingest": {"source": "./training", "pseudonymise": True, "threads": 2},
    "data": {"split": {"train": 0.5, "val": 0.25, "test": 0.25}},
    "preprocessing": {"spatial_size": [16, 16, 16], "alignment": "world"},
    "network": {"num_channel_initial": 2, "extract_levels": [0, 1, 2]},
    "train": {"workers": 0, "threads": 1, "epochs": 2, "device": "cpu", "learning_rate": 1e-3},
    "infer": {"model": "lung_ct_registration", "workers": 0, "threads": 1, "device": "cpu"},
    "cost": {"credits_per_node_hour": 0.57, "nodes": 1, "as_of": "2026-11-22"},
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of `infer` left."""

    rows: list[CaseResult]
    files: dict[str, bytes]
    """By name in the folder of the run's cases."""
    report: str
    """The cohort page."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the pipeline left, in the account and here."""

    case_ids: dict[str, str]
    """Pseudonym by name."""
    said: dict[str, Outcome]
    """By step, what the person saw."""
    runs: dict[str, Run]
    """By where they were computed: ray, run-batch, local."""
    statements: tuple[Statement, ...]
    """All that the account was asked."""
    account: dict[str, bytes]
    """All files that the account holds, those of models too."""
    logins: str
    """What clients said of themselves when they logged in."""
    page_here: str
    """The report of the batch run, as it was copied to this machine."""


def there_settings() -> dict[str, Any]:
    """An account in which nothing is made yet; jobs install from an index."""
    own = {"connection": CONNECTION, "database": DATABASE, "integrations": ["PYPI_EAI"]}
    return {"kind": "snowflake", "timeout_s": 10, "batch": {"gpus": 0}, **own}


def site(folder: Path, backend: dict[str, Any]) -> Site:
    """A folder with the patients' scans and a configuration."""
    if not folder.exists():
        put_patients(folder / "training")
    (folder / "lungreg.yaml").write_text(yaml.safe_dump({**SETTINGS, "backend": backend}))
    return Site(folder)


def put_patients(folder: Path) -> None:
    """The pairs of NAMES in the Zenodo layout, the name in files and headers."""
    simulate_cohort(folder, cases=4, seed=5, shape=(40, 34, 40), spacing_mm=(7.5, 7.5, 7.2))
    shutil.rmtree(folder / "displacements")
    for file in sorted(folder.rglob("case_*")):
        name = NAMES[int(file.name[5:8]) - 1]
        if name == BARE and file.parent.name != "scans":
            file.unlink()
            continue
        named = file.rename(file.with_name(name + file.name[8:]))
        if named.parent.name == "scans":
            describe(named, offset=1024 if name == OFFSET and "_insp" in named.name else 0)


def describe(file: Path, *, offset: int) -> None:
    """Write the patient's name into a scan's headers, and add an offset to its values."""
    image = nib.Nifti1Image.from_bytes(gzip.decompress(file.read_bytes()))
    values = np.asanyarray(image.dataobj).astype(np.int16) + np.int16(offset)
    changed = nib.Nifti1Image(values, image.affine)
    changed.header["descrip"] = PATIENT
    with file.open("wb") as raw, gzip.GzipFile(file.name, "wb", fileobj=raw) as packed:
        packed.write(changed.to_bytes())


@dataclass(frozen=True)
class Person:
    """Gives commands at a site, and remembers what each step said."""

    site: Site
    said: dict[str, Outcome]

    def does(self, step: str, *arguments: str, code: int = 0) -> Outcome:
        """Run a command, which ends with this code and without a word of error."""
        self.said[step] = self.site.run(*arguments)
        assert (self.said[step].code, self.said[step].err) == (code, ""), self.said[step]
        return self.said[step]

    @contextmanager
    def does_meanwhile(self, step: str, *arguments: str) -> Iterator[None]:
        """Run a command in a process of its own, which ends when the block does."""
        process = self.site.start(*arguments, "-c", "lungreg.yaml")
        yield
        out, err = process.communicate()
        self.said[step] = Outcome(code=process.returncode, out=out, err=err)


def in_the_account(there: Site, peer: Peer) -> dict[str, Outcome]:
    """Everything that a person does there; by step, what they saw.

    The model is loaded by another process, too.
    """
    person = Person(there, {})
    learn(person, peer)
    copy = ("--out", "model.zip")
    with person.does_meanwhile("export", "models", "export", MODEL, "approved", *copy):
        register(person, peer)
    look_back(person)
    return person.said


def learn(person: Person, peer: Peer) -> None:
    """From nothing to a model."""
    Account(peer)
    person.does("setup", "setup", "--execute")
    Models(peer)
    Experiments(peer)
    person.does("ingest", "ingest")
    person.does("again", "ingest")
    jobs = WorkingJobs(peer, person.site.folder / "containers")
    try:
        person.does("submit", "submit", "train", "--wait")
    finally:
        jobs.stop()
    person.does("promote", "models", "promote", MODEL, "1", "--alias", "approved")
    person.does("models", "models", "list", "--json")


def register(person: Person, peer: Peer) -> None:
    """All cases with both engines, one of them damaged; and one pair from files."""
    damage(person.site)
    # With real actors, which open sessions of their own.
    person.does("ray", "infer", "--engine", "ray", "--set", "infer.workers=2", "--json", code=3)
    BatchService(peer)
    person.does("run-batch", "infer", "--engine", "run-batch", "--json", code=3)
    scans = [str(person.site.scans / f"{PLAIN}_{way}.nii.gz") for way in ("exp", "insp")]
    folder = str(person.site.folder / "pair")
    person.does("register", "register", *scans, "-o", folder, "--model", MODEL, "--no-refine")


def look_back(person: Person) -> None:
    """What comes after a run."""
    run_id = person.said["run-batch"].document["run_id"]
    person.does("results", "results", "--json", "--sql", SQL)
    person.does("report of ray", "report", person.said["ray"].document["run_id"])
    person.does("report", "report", run_id)
    person.does("pages", "report", run_id, "-o", str(person.site.folder / "pages"))
    person.does("cost", "cost", run_id)
    person.does("evaluate", "evaluate", run_id, code=3)
    folder = str(person.site.folder / "out")
    person.does("transforms", "export", run_id, "--format", "learn2reg", "-o", folder)


def on_this_machine(local: Site) -> str:
    """The same cases under the same pseudonyms with the same weights; the run of `infer`."""
    assert local.run("ingest").code == 0
    assert local.run("models", "import", str(local.folder / "model.zip")).code == 0
    damage(local)
    run_id: str = local.run("infer", "--json").document["run_id"]
    assert local.run("report", run_id).code == 0
    return run_id


def damage(place: Site) -> None:
    """Spoil a scan of one case on the stage."""
    place.backend().stage.write(f"scansInsp/{case_ids(place)[BROKEN]}_insp.nii.gz", b"no scan")


def case_ids(place: Site) -> dict[str, str]:
    """Pseudonym by name, from the key."""
    with (place.folder / "lungreg-key.csv").open(newline="") as file:
        return {row["id"]: row["pseudonym"] for row in csv.DictReader(file)}


def run_of(place: Site, run_id: str) -> Run:
    backend, folder = place.backend(), f"runs/{run_id}/cases/"
    names = [info.name for info in backend.stage.list(folder.rstrip("/"))]
    return Run(
        rows=backend.results.rows(run_id),
        files={name.removeprefix(folder): backend.stage.read(name) for name in names},
        report=backend.stage.read(f"runs/{run_id}/report.html").decode(),
    )


def files_under(folder: Path) -> dict[str, bytes]:
    """By path, what every file says, unpacked."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): unpacked(file.read_bytes()) for file in files}


def of_the_database(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without what other tests have put into the peer."""
    ours = (f"{DATABASE}/", f"_models/{DATABASE}.")
    return {name: data for name, data in files.items() if name.startswith(ours)}


def unpacked(data: bytes) -> bytes:
    return data + gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
