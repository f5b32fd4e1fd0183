"""A case: a pair of scans on the stage, and the words for what became of it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from lungreg.records.measures import RegionError
from lungreg.records.summary import Facts, Summary


class Verdict(StrEnum):
    """Whether something can be trusted."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    REJECT = "reject"
    """Of a pair that ingest refused: it is not on the stage."""


class Status(StrEnum):
    """Whether a case could be registered."""

    SUCCESS = "success"
    FAILED = "failed"


def verdict_words(
    status: str, verdict: str, evidence: str | None, *, lost: str = "not registered"
) -> str:
    """A verdict as people read it, joined with what it rests on: "pass (estimated)".

    Args:
        status: Of the case.
        verdict: Of the registered case.
        evidence: "landmarks", "estimated" or "masks"; None adds nothing.
        lost: What a failed case is called.
    """
    if status == Status.FAILED:
        return lost
    return f"{verdict}" if evidence is None else f"{verdict} ({evidence})"


class Split(StrEnum):
    """The part of the training run's split that a case was in, for the model that registered it.

    For a case that was registered without a model: for the champion of the registry, if there is
    one, so that both ways are compared on the same cases. Without a model all figures are honest.
    """

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    UNSEEN = "unseen"
    """In none of the three lists of the run that trained the model."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Case(Summary):
    """One fixed/moving pair on the stage. Files are names on the stage, never volumes."""

    case_id: str
    fixed: str
    """Expiration scan."""
    moving: str
    """Inspiration scan."""
    fixed_mask: str | None = None
    moving_mask: str | None = None
    landmarks: str | None = None
    """CSV of six columns, fixed x y z then moving x y z, in voxels of each scan."""
    displacement: str | None = None
    """The true `T(x) - x` where it is known, as of a simulated pair: NIfTI vectors, LPS mm, on the
    fixed scan's grid. Training may learn from it; nothing else reads it."""
    fixed_hu_offset: float = 0.0
    """Stored value less Hounsfield units of the fixed file: 0, 1000 or 1024."""
    moving_hu_offset: float = 0.0
    """Stored value less Hounsfield units of the moving file: 0, 1000 or 1024."""
    group: str | None = None
    """Patient, where given: cases of one group are never split over train, val and test."""
    fingerprint: str = ""
    """SHA-256 over the case's files."""
    scans: tuple[str, ...] = ()
    """SHA-256 of what each scan shows, fixed then moving, whatever file it came in. Cases that
    share one are of one patient, and a model that has seen it has seen the case."""

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {
            "case_id": self.case_id,
            "group": self.group,
            "masks": sum(mask is not None for mask in (self.fixed_mask, self.moving_mask)),
            "landmarks": self.landmarks is not None,
        }


def same_form(name: str) -> str:
    """A name in the one form of Unicode (NFC) in which names are compared."""
    return unicodedata.normalize("NFC", name)


@dataclass(frozen=True, kw_only=True)
class Remarks:
    """Remarks on a registered case beside its figures; without case ids and paths."""

    reasons: tuple[str, ...] = ()
    """Why the verdict is not "pass": what is wrong with the scans, then failures, then the rest."""
    lungs_from: str | None = None
    """How the lungs of the fixed scan were found: "mask", "threshold" (segmented here), or
    "whole scan" (none were found)."""
    notes: tuple[str, ...] = ()
    """Warnings about the files and about how the transform was found."""
    regions: tuple[RegionError, ...] = ()
    """The estimated error by part of the lungs, the worst first."""

    @property
    def in_one_line(self) -> str | None:
        """The reasons, joined with semicolons; None where there are none."""
        return "; ".join(self.reasons) or None
