"""The names of everything on a stage, in one place.

scansExp/, scansInsp/, lungMasksExp/,     files of the cases (`CASE_INPUTS`)
lungMasksInsp/, landmarks/, displacements/
manifest/                                 what ingest found of each case, Parquet parts
runs/RUN/config.json, split.json, ...     what a run keeps of itself (`RunNames`)
runs/RUN/cases/CASE/                      output files of a registered case (`CaseNames`)
models/NAME/VERSION/                      stored models of the local backend (`ModelNames`)
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

CASE_INPUTS: Mapping[str, str] = {
    "fixed": "scansExp/{}_exp.nii.gz",
    "moving": "scansInsp/{}_insp.nii.gz",
    "fixed_mask": "lungMasksExp/{}_exp.nii.gz",
    "moving_mask": "lungMasksInsp/{}_insp.nii.gz",
    "landmarks": "landmarks/{}.csv",
    "displacement": "displacements/{}.nii.gz",
}
"""By role in a case, the name of its file on the stage, with {} for the case id."""
MANIFEST = "manifest"
RUNS = "runs"
MODELS = "models"

IMAGE_FILE = "registered_img.nii.gz"
LABEL_FILE = "registered_label.nii.gz"
DISPLACEMENT_FILE = "displacement.nii.gz"
DESCRIPTION_FILE = "displacement.json"
METRICS_FILE = "metrics.json"
PAGE_FILE = "qc.html"
INPUTS_FILE = "inputs.json"
"""Written by `register` only: where the pair's files are on this machine."""
REPORT_FILE = "report.html"

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"
ALIASES_FOLDER = "aliases"
ALIAS_SUFFIX = ".json"


def report_file(number: int) -> str:
    """The file of a page of a cohort's report: "report.html", "report-2.html", ..."""
    return REPORT_FILE if number == 1 else f"-{number}".join(posixpath.splitext(REPORT_FILE))


def input_folder(role: str) -> str:
    """The folder on the stage with the files of all cases in one role, such as "fixed"."""
    return CASE_INPUTS[role].partition("/")[0]


@dataclass(frozen=True)
class CaseNames:
    """The output files of one registered case, in a folder."""

    folder: str
    """Name of the folder on the stage; empty for the stage itself, as `register` writes."""

    def file(self, name: str) -> str:
        """The name on the stage of a file in the folder."""
        return f"{self.folder}/{name}" if self.folder else name

    @property
    def image(self) -> str:
        """The warped moving scan on the fixed grid."""
        return self.file(IMAGE_FILE)

    @property
    def label(self) -> str:
        """The warped moving labels, where the case has a moving mask."""
        return self.file(LABEL_FILE)

    @property
    def displacement(self) -> str:
        """`T(x) - x` in mm."""
        return self.file(DISPLACEMENT_FILE)

    @property
    def description(self) -> str:
        """The JSON beside the displacement: affine, grids, direction, units."""
        return self.file(DESCRIPTION_FILE)

    @property
    def metrics(self) -> str:
        """All figures of the case."""
        return self.file(METRICS_FILE)

    @property
    def page(self) -> str:
        """The case's HTML page."""
        return self.file(PAGE_FILE)


@dataclass(frozen=True)
class RunNames:
    """The files and folders of one run of `train` or `infer`."""

    run_id: str

    @property
    def folder(self) -> str:
        """All of the run's files are below it."""
        return f"{RUNS}/{self.run_id}"

    @property
    def config(self) -> str:
        """The run's whole configuration, without backend and ingest."""
        return f"{self.folder}/config.json"

    @property
    def split(self) -> str:
        """Case ids under train, val and test."""
        return f"{self.folder}/split.json"

    @property
    def history(self) -> str:
        """The metrics of each epoch so far."""
        return f"{self.folder}/history.json"

    @property
    def report(self) -> str:
        """The cohort's HTML page, the first one of a large cohort."""
        return f"{self.folder}/{REPORT_FILE}"

    def report_page(self, number: int) -> str:
        """One of the pages of a cohort's report, by its number from 1 on."""
        return f"{self.folder}/{report_file(number)}"

    @property
    def checkpoints(self) -> str:
        """Folder of the training states."""
        return f"{self.folder}/checkpoints"

    def checkpoint(self, epoch: int) -> str:
        """The training state after a number of epochs."""
        return f"{self.checkpoints}/epoch_{epoch:05d}.pt"

    def pointer(self, which: str) -> str:
        """The JSON that names one of the training states: "last" or "best"."""
        return f"{self.checkpoints}/{which}.json"

    @property
    def results(self) -> str:
        """Folder of the result table's Parquet parts."""
        return f"{self.folder}/results"

    @property
    def ratings(self) -> str:
        """Folder of what people think of the registrations."""
        return f"{self.folder}/ratings"

    def rating(self, case_id: str) -> str:
        """What a person thinks of a registration: by the page of the results."""
        return f"{self.ratings}/{case_id}.json"

    @property
    def usage(self) -> str:
        """Folder with one JSON for each call of the run: when, how long, on which compute."""
        return f"{self.folder}/usage"

    def usage_record(self, call: str) -> str:
        """The JSON of one call in `usage`."""
        return f"{self.usage}/{call}.json"

    @property
    def audit(self) -> str:
        """Folder with one JSON for each call of the run: who, when, command, hashes."""
        return f"{self.folder}/audit"

    def audit_record(self, call: str) -> str:
        """The JSON of one call in `audit`."""
        return f"{self.audit}/{call}.json"

    @property
    def batch(self) -> str:
        """Folder of the input and output files of the backend's batch jobs."""
        return f"{self.folder}/batch"

    @property
    def cases(self) -> str:
        """Folder with one folder for each registered case."""
        return f"{self.folder}/cases"

    def case(self, case_id: str) -> CaseNames:
        """The files of one registered case."""
        return CaseNames(f"{self.cases}/{case_id}")


@dataclass(frozen=True)
class ModelNames:
    """The files of one model name in a registry that keeps files on the stage."""

    name: str

    @property
    def folder(self) -> str:
        """All versions and aliases are below it."""
        return f"{MODELS}/{self.name}"

    def claim(self, version: int) -> str:
        """The empty file whose creation reserves a version number."""
        return f"{self.folder}/{version}/claim"

    def card(self, version: str) -> str:
        """The model card; a version is visible once it is there."""
        return f"{self.folder}/{version}/{CARD_FILE}"

    def weights(self, version: str) -> str:
        """The weights as safetensors."""
        return f"{self.folder}/{version}/{WEIGHTS_FILE}"

    def alias(self, alias: str) -> str:
        """The JSON that names the version of an alias."""
        return f"{self.folder}/{ALIASES_FOLDER}/{alias}{ALIAS_SUFFIX}"
