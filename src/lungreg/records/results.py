"""Rows of results: a case registered in a run, and a registration measured again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lungreg.records.cases import Split, Status, Verdict, verdict_words
from lungreg.records.measures import CaseMetrics, Evidence
from lungreg.records.models import SCHEMA_VERSION
from lungreg.records.summary import Facts


@dataclass(frozen=True, kw_only=True, repr=False)
class CaseEvaluation(CaseMetrics, Evidence):
    """One registered case measured again from its files: one row of `lungreg evaluate`."""

    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
    evidence: str | None = None
    """What the verdict rests on: "landmarks", "estimated" or "masks"; None for nothing."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not "pass", in words."""
    error_code: str | None = None
    error_message: str | None = None
    """Without case ids or paths."""
    fixed_lungs_from: str | None = None
    """"mask", "threshold" (segmented here) or "whole scan" (nothing looks like a lung)."""
    moving_lungs_from: str | None = None
    sdlogj_learn2reg: float | None = None
    """Standard deviation of log(J + 3), which Learn2Reg's script calls SDlogJ: compare it with that
    challenge's tables only."""

    @property
    def words(self) -> str:
        """The verdict as people read it; a case of which nothing is known is "not measured"."""
        return verdict_words(self.status, self.verdict, self.evidence, lost="not measured")

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {"case_id": self.case_id, "verdict": self.words, **super().facts()}


@dataclass(frozen=True, kw_only=True, repr=False)
class CaseResult(CaseMetrics):
    """One row of the result table: the registration of one case in one run."""

    run_id: str
    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
    evidence: str | None = None
    """What the verdict rests on: "landmarks", "estimated" or "masks"; None for nothing."""
    reasons: str | None = None
    """Why the verdict is not "pass", in words, joined with semicolons; without case ids or paths.
    None for a pass, for a failed case, and in rows of versions that did not keep them."""
    error_code: str | None = None
    error_message: str | None = None
    """Without case ids or paths."""
    output_image: str | None = None
    """Name on the stage of the warped moving image."""
    output_label: str | None = None
    """Name on the stage of the warped moving labels."""
    output_transform: str | None = None
    """Name on the stage of the displacement."""
    model_name: str | None = None
    model_version: str | None = None
    read_s: float | None = None
    """Seconds from files to arrays."""
    compute_s: float | None = None
    """Seconds from arrays to the final displacement."""
    write_s: float | None = None
    """Seconds to warp, measure, draw and write."""
    attempt: int = 1
    worker: str = "main"
    """Name of the process, and of its card where it has a GPU: "cuda-3 on 8a1f0c2e"."""
    started_at: datetime
    """UTC."""
    finished_at: datetime
    """UTC."""
    schema_version: int = SCHEMA_VERSION

    @property
    def words(self) -> str:
        """The verdict as people read it; a failed case is "not registered"."""
        return verdict_words(self.status, self.verdict, self.evidence)

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        known = {"case_id": self.case_id, "run_id": self.run_id, "verdict": self.words}
        why = {"why": self.reasons, "error": self.error_message}
        return {**known, **why, **super().facts()}


@dataclass(frozen=True, kw_only=True, repr=False)
class PairResult(CaseResult):
    """The result of `register`, which knows where its files are: `show` needs nothing else."""

    folder: Path
    """Where the files lie on this machine; their names are within it."""
    hu_window: tuple[float, float]
    """HU that became 0 and 1 where images were compared."""


RESULT_COLUMNS: tuple[str, ...] = (
    *("run_id", "case_id", "split", "status", "verdict", "evidence", "reasons"),
    *("error_code", "error_message"),
    *(metric.name for metric in dataclasses.fields(CaseMetrics)),
    *("output_image", "output_label", "output_transform", "model_name", "model_version"),
    *("read_s", "compute_s", "write_s", "attempt", "worker", "started_at", "finished_at"),
    "schema_version",
)
"""Order of the columns of the result table, the same in every backend."""
