"""Where files live, where they come from, and which cases are used."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lungreg.config.section import Section

NAMED_SOURCES = ("simulate", "zenodo-lung-ct")
"""What `ingest.source` may name beside a folder, an archive or a URL."""
LayoutName = Literal["zenodo", "learn2reg", "pattern"]
"""What `ingest.layout` may name; `sources/layouts/` has a function for each."""
DEFAULT_KEY_FILE = "lungreg-key.csv"
_PARTS = ("train", "val", "test")


class LocalBackend(Section):
    """Files in a folder or bucket, rows in Parquet, versions beside them."""

    kind: Literal["local"] = "local"
    """Which backend: "local" needs nothing but this machine or cluster."""
    root: str = "./lungreg-data"
    """Folder, or an fsspec URL such as s3://bucket/lungreg (its driver installed)."""
    tracking: bool = True
    """Keep training curves with MLflow under the root (folders only)."""

    @property
    def folder(self) -> Path | None:
        """Folder of this machine that files are kept in; None for a bucket."""
        return None if "://" in self.root else Path(self.root)


class Pattern(Section):
    """Where the user's own files lie, for `layout: pattern`, relative to the source."""

    fixed: str
    """Expiration scans, e.g. "{case_id}/exp.nii.gz"; a folder is read as a DICOM series."""
    moving: str
    """Inspiration scans."""
    fixed_mask: str | None = None
    """Lungs of the expiration scans."""
    moving_mask: str | None = None
    """Lungs of the inspiration scans."""
    landmarks: str | None = None
    """CSV of six columns, fixed x y z then moving x y z, in voxels."""

    @model_validator(mode="after")
    def _names_the_case(self) -> Self:
        for key, value in self.model_dump().items():
            if value is not None and value.count("{case_id}") < 1:
                msg = f"pattern.{key} must contain {{case_id}}, got {value!r}"
                raise ValueError(msg)
        return self


class Ingest(Section):
    """What comes onto the stage."""

    source: str | None = None
    """Folder, .zip, .tar.gz, URL, the named dataset "zenodo-lung-ct", or "simulate"."""
    simulated_cases: int = Field(default=10, ge=1)
    """How many pairs `source: simulate` makes."""
    layout: LayoutName = "zenodo"
    """How the files of the source are named."""
    pattern: Pattern | None = None
    """Needed by `layout: pattern`."""
    checksum: str | None = None
    """Of a URL, as "sha256:..." or "md5:..."; without it the download is not checked."""
    groups: str | None = None
    """CSV with the columns case_id and group (patient); a patient is never split."""
    pseudonymise: bool = False
    """Put random names in place of case ids and groups, on the stage and in all that follows."""
    key_file: str | None = None
    """Which pseudonym stands for which id: a local file that only you can read and that you keep.
    Each ingest adds to it; null is lungreg-key.csv beside the configuration."""
    keep_download: bool = False
    """Keep what was downloaded from a URL once it is ingested; the named dataset is kept."""
    threads: int = Field(default=4, ge=1, le=64)
    """Pairs checked and uploaded at once."""
    max_voxels: int = Field(default=1_000_000_000, ge=1)
    """Largest scan that is opened."""
    max_members: int = Field(default=200_000, ge=1)
    """Most files in an archive."""
    max_unpacked_gb: float = Field(default=200.0, gt=0)
    """Most that an archive may unpack to."""

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
    """Which cases a model learns from: shares, lists of case ids, or folds."""

    train: float | list[str] = 0.8
    """Share of the cases, or their ids, that weights are fitted to."""
    val: float | list[str] = 0.2
    """Likewise, that choose the best epoch."""
    test: float | list[str] = 0.0
    """Never seen by training: the honest figures come from here."""
    folds: int | None = Field(default=None, ge=2)
    """Cross-validation: the cases fall into this many parts instead; `fold` is validated on."""
    fold: int = Field(default=0, ge=0)
    """Which part is validated on, from 0."""

    @model_validator(mode="before")
    @classmethod
    def _lists_alone(cls, raw: Any) -> Any:
        """Where one part is a list, a part left out is empty and not a share."""
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
    """Which cases, and how many of them memory holds."""

    split: SplitSpec = SplitSpec()
    """Which cases a model learns from."""
    cache_gb: float = Field(default=4.0, ge=0)
    """Most that preprocessed cases take of a node's temporary folder, shared by its workers."""
