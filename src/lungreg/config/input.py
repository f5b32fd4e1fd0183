"""Sections backend (local), ingest and data: where files are kept, and which cases are used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import Field, model_validator

from lungreg.config.section import Section

INCOMING = "incoming"
"""The source of files that others have put on the backend's own stage for them."""
NAMED_SOURCES = ("simulate", "zenodo-lung-ct", INCOMING)
"""Sources that `ingest.source` may name instead of a folder, an archive or a URL."""
LayoutName = Literal["zenodo", "learn2reg", "pattern"]
"""What `ingest.layout` may name; `sources/layouts/` has a function for each."""
DEFAULT_KEY_FILE = "lungreg-key.csv"
"""File of the pseudonyms, beside the configuration, unless `ingest.key_file` names another."""
_PARTS = ("train", "val", "test")


class LocalBackend(Section):
    """A backend that keeps files, result rows and models in one folder or bucket."""

    kind: Literal["local"] = "local"
    """Kind of backend: "local" needs no service beyond a folder or bucket."""
    root: str = "./lungreg-data"
    """Folder that everything is kept in, relative to the configuration file, or an fsspec URL such
    as s3://bucket/lungreg, whose driver must be installed."""
    tracking: bool = True
    """Record training curves with MLflow under `root`. Has no effect where `root` is a URL."""

    @property
    def folder(self) -> Path | None:
        """Local folder that files are kept in; None for a bucket."""
        if self.root.startswith("file://"):
            return Path(url2pathname(urlsplit(self.root).path))
        return None if "://" in self.root else Path(self.root)


class Pattern(Section):
    """Paths of the user's own files for `ingest.layout: pattern`, relative to `ingest.source`.

    Every path contains "{case_id}", which stands for the id of the case. Where patients came
    several times, "{patient}" stands for the name of the patient: the case is then called after
    both, such as "P01_2024-05-03" of "{patient}/{case_id}/exp.nii.gz", and the cases of a patient
    are one group, unless `ingest.groups` says otherwise.
    """

    fixed: str
    """Path of the expiration scans, such as "{case_id}/exp.nii.gz"; a folder is read as a DICOM
    series."""
    moving: str
    """Path of the inspiration scans, such as "{case_id}/insp.nii.gz"; a folder is read as a DICOM
    series."""
    fixed_mask: str | None = None
    """Path of the lung masks of the expiration scans; null for none."""
    moving_mask: str | None = None
    """Path of the lung masks of the inspiration scans; null for none."""
    landmarks: str | None = None
    """Path of the landmarks: CSV of six columns, fixed x, y, z, then moving x, y, z, in voxels;
    null for none."""
    displacement: str | None = None
    """Path of the true displacements, for `loss.displacement`: NIfTI files of vectors, LPS in mm,
    on the grid of the expiration scan; null for none."""

    @model_validator(mode="after")
    def _names_the_case(self) -> Self:
        for key, value in self.model_dump().items():
            if value is not None and value.count("{case_id}") < 1:
                msg = f"pattern.{key} must contain {{case_id}}, got {value!r}"
                raise ValueError(msg)
            if value is not None and ("{patient}" in value) != ("{patient}" in self.fixed):
                msg = "all paths of pattern contain {patient}, or none does"
                raise ValueError(msg)
        if self.fixed == self.moving:
            msg = f"pattern.fixed and pattern.moving name two scans, got {self.fixed!r} for both"
            raise ValueError(msg)
        return self


class Ingest(Section):
    """Where scans come from, how they are checked, and how they are named on the stage."""

    source: str | None = None
    """Folder, .zip, .tar.gz or URL of the scans, the public dataset "zenodo-lung-ct", "simulate"
    for simulated pairs, or "incoming" for what others have put on `backend.incoming_stage`
    (Snowflake). Needed by `lungreg ingest`."""
    simulated_cases: int = Field(default=10, ge=1)
    """Number of pairs that `source: simulate` makes."""
    layout: LayoutName = "zenodo"
    """Naming of the files: "zenodo" for scans/CASE_exp.nii.gz and CASE_insp.nii.gz, "learn2reg" for
    the dataset of a Learn2Reg challenge, "pattern" for the paths in `pattern`."""
    pattern: Pattern | None = None
    """Paths of the files of a case. Needed with `layout: pattern`, unused without it."""
    checksum: str | None = None
    """Checksum of the file behind a URL, as "sha256:..." or "md5:..."; null does not check the
    download."""
    groups: str | None = None
    """CSV file with the columns case_id and group (patient). A split keeps all cases of one group
    in one part; null makes each case a group of its own."""
    pseudonymise: bool = False
    """Replace case ids and groups by random names, on the stage and in all results."""
    key_file: str | None = None
    """Local CSV file that lists which pseudonym stands for which id. Only its owner can read it,
    and each ingest adds to it. Null is lungreg-key.csv beside the configuration file."""
    keep_download: bool = False
    """Keep the file that was downloaded from a URL after its cases are ingested. The public dataset
    is always kept."""
    threads: int = Field(default=4, ge=1, le=64)
    """Number of pairs that are checked and uploaded in parallel."""
    max_voxels: int = Field(default=1_000_000_000, ge=1)
    """Largest number of voxels of a scan, for all commands; a larger file is refused unread."""
    max_members: int = Field(default=200_000, ge=1)
    """Largest number of files in an archive; an archive with more is refused."""
    max_unpacked_gb: float = Field(default=200.0, gt=0)
    """Largest size in GB that an archive may unpack to; a larger one is refused."""

    @model_validator(mode="after")
    def _pattern_given(self) -> Self:
        if self.layout == "pattern" and self.pattern is None:
            msg = "layout 'pattern' needs ingest.pattern with fixed and moving"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _key_is_local(self) -> Self:
        if self.key_file is not None and "://" in self.key_file:
            msg = "ingest.key_file stays with you: it is the path of a local file, not a URL"
            raise ValueError(msg)
        return self


class SplitSpec(Section):
    """How the cases are divided for training: by shares, by lists of case ids, or by folds."""

    train: float | list[str] = 0.8
    """Share of the cases (0 to 1), or a list of their ids, that the weights are fitted to."""
    val: float | list[str] = 0.2
    """Share of the cases (0 to 1), or a list of their ids, on which the best epoch is chosen."""
    test: float | list[str] = 0.0
    """Share of the cases (0 to 1), or a list of their ids, that training never reads: their metrics
    are the honest ones. The three shares sum to 1."""
    folds: int | None = Field(default=None, ge=2)
    """Number of equal parts for cross-validation, instead of shares: `fold` is validated on, the
    others are trained on. Null divides by shares or lists."""
    fold: int = Field(default=0, ge=0)
    """Index of the part that is validated on, from 0 to `folds` - 1. Unused without `folds`."""

    @model_validator(mode="before")
    @classmethod
    def _lists_alone(cls, raw: Any) -> Any:
        """Where one part is a list, a part that is left out is an empty list, not a share."""
        if isinstance(raw, dict) and any(isinstance(raw.get(key), list) for key in _PARTS):
            return {**{key: [] for key in _PARTS}, **raw}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = (self.train, self.val, self.test)
        shares = [part for part in parts if isinstance(part, float)]
        if shares and len(shares) < len(parts):
            msg = "split.train, val and test are all shares or all lists of case ids"
            raise ValueError(msg)
        if shares and (min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6)):
            msg = f"shares of a split are at least 0 and sum to 1, got {shares}"
            raise ValueError(msg)
        if self.folds is None:
            return self
        if not shares or self.test != 0:
            msg = "split.folds goes without lists and without a test share"
            raise ValueError(msg)
        if self.fold >= self.folds:
            msg = f"split.fold counts from 0 to folds - 1, got {self.fold} of {self.folds}"
            raise ValueError(msg)
        return self


class Data(Section):
    """Which cases training uses, and how much disk their preprocessed form may take."""

    split: SplitSpec = SplitSpec()
    """Division of the cases into training, validation and test."""
    cache_gb: float = Field(default=4.0, ge=0)
    """Largest size in GB of the preprocessed cases in the temporary folder of each node, shared by
    the workers there. Cases that do not fit are preprocessed again in every epoch."""
