"""Frozen records passed between steps: cases, metrics, results, evaluations, model cards."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lungreg.config import Alignment, Config
from lungreg.errors import ModelError

SCHEMA_VERSION = 1
RESEARCH_USE = "research use only, not a medical device"
MODEL_SECTIONS = ("preprocessing", "network")
"""Sections of the configuration that belong to a model: a run takes them from the model's card."""


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


class Split(StrEnum):
    """The part of the training run's split that a case was in, for the model that registered it."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    UNSEEN = "unseen"
    """In none of the three lists of the run that trained the model."""


@dataclass(frozen=True, kw_only=True)
class Case:
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
    fixed_hu_offset: float = 0.0
    """Stored value less Hounsfield units of the fixed file: 0, 1000 or 1024."""
    moving_hu_offset: float = 0.0
    """Stored value less Hounsfield units of the moving file: 0, 1000 or 1024."""
    group: str | None = None
    """Patient, where given: cases of one group are never split over train, val and test."""
    fingerprint: str = ""
    """SHA-256 over the case's files."""


@dataclass(frozen=True, kw_only=True)
class Remarks:
    """Remarks on a registered case beside its figures; without case ids and paths."""

    reasons: tuple[str, ...] = ()
    """Why the verdict is not "pass", failures first."""
    lungs_from: str | None = None
    """How the lungs of the fixed scan were found: "mask", "threshold" (segmented here), or
    "whole scan" (none were found)."""
    notes: tuple[str, ...] = ()
    """Warnings about the files and about how the transform was found."""


@dataclass(frozen=True, kw_only=True)
class CaseMetrics:
    """The metrics of one registered case; None where the case lacks the masks or landmarks for it.

    "Initial" is by the headers alone, "aligned" after the initial alignment `A`.
    """

    dice_score: float | None = None
    """Dice of the lung masks on the fixed grid, nearest neighbour, 0 to 1."""
    dice_initial: float | None = None
    dice_aligned: float | None = None
    ssim_score: float | None = None
    """Structural similarity inside the fixed lungs after the intensity window."""
    ncc: float | None = None
    """Normalised cross-correlation inside the fixed lungs, -1 to 1."""
    hd95_mm: float | None = None
    """95th percentile of the symmetric distance between the lung surfaces, mm."""
    tre_mm: float | None = None
    """Mean distance of landmarks after registration (target registration error), mm."""
    tre_median_mm: float | None = None
    tre_initial_mm: float | None = None
    tre_aligned_mm: float | None = None
    fold_pct: float | None = None
    """Share of voxels inside the fixed lungs where the Jacobian of `T` is not positive, %."""
    jacobian_min: float | None = None
    jacobian_max: float | None = None
    sdlogj: float | None = None
    """Standard deviation of the logarithm of the Jacobian inside the fixed lungs."""
    outside_fov_pct: float | None = None
    """Share of fixed voxels that `T` carries out of the moving scan, %."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Measures of a registration's quality that need neither masks nor landmarks."""

    residual: float | None = None
    """Residual image difference inside the lungs without local density, 0 to 1.41; see
    `metrics.residual_difference`."""
    inverse_mean_mm: float | None = None
    """Mean distance inside the lungs between a point and its image under `T`, then the inverse."""
    inverse_max_mm: float | None = None
    """Largest such distance, mm."""
    volume_ratio_jacobian: float | None = None
    """Mean Jacobian determinant of `T` over the fixed lungs: by what factor `T` enlarges them."""
    dice_segmented: float | None = None
    """Dice of the lungs where at least one of the two masks was segmented here, by threshold."""


@dataclass(frozen=True, kw_only=True)
class CaseEvaluation(CaseMetrics, Evidence):
    """One registered case measured again from its files: one row of `lungreg evaluate`."""

    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
    reasons: tuple[str, ...] = ()
    """Why the verdict is not "pass", in words."""
    error_code: str | None = None
    error_message: str | None = None
    """Without case ids or paths."""
    fixed_lungs_from: str | None = None
    """"mask", "threshold" (segmented here) or "whole scan" (nothing looks like a lung)."""
    moving_lungs_from: str | None = None
    landmarks: int | None = None
    """Number of landmark pairs."""
    tre_p95_mm: float | None = None
    """95th percentile of the landmarks' errors, mm."""
    tre_max_mm: float | None = None
    sdlogj_learn2reg: float | None = None
    """Standard deviation of log(J + 3), which Learn2Reg's script calls SDlogJ: compare it with that
    challenge's tables only."""
    fixed_lungs_ml: float | None = None
    """Volume of the fixed lungs, ml."""
    moving_lungs_ml: float | None = None
    volume_ratio_lungs: float | None = None
    """Volume of the moving lungs divided by that of the fixed lungs."""
    hd95_segmented_mm: float | None = None
    """HD95 of the lungs in mm, where at least one mask was segmented here, by threshold."""


@dataclass(frozen=True, kw_only=True)
class CaseResult(CaseMetrics):
    """One row of the result table: the registration of one case in one run."""

    run_id: str
    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
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
    started_at: datetime
    """UTC."""
    finished_at: datetime
    """UTC."""
    schema_version: int = SCHEMA_VERSION


RESULT_COLUMNS: tuple[str, ...] = (
    *("run_id", "case_id", "split", "status", "verdict", "error_code", "error_message"),
    *(metric.name for metric in dataclasses.fields(CaseMetrics)),
    *("output_image", "output_label", "output_transform", "model_name", "model_version"),
    *("read_s", "compute_s", "write_s", "attempt", "worker", "started_at", "finished_at"),
    "schema_version",
)
"""Order of the columns of the result table, the same in every backend."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A stored model's configuration, metrics and origin."""

    name: str
    version: str = ""
    """Given by the registry."""
    config: dict[str, Any] = field(default_factory=dict)
    """The run's whole configuration, defaults filled in; it builds network and preprocessing."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Validation metrics of the chosen epoch."""
    split: dict[str, list[str]] = field(default_factory=dict)
    """SHA-256 fingerprints of the cases under "train", "val" and "test"."""
    run_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """Versions of Python and of the packages it was trained with."""
    weights_sha256: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    use: str = RESEARCH_USE
    schema_version: int = SCHEMA_VERSION

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        """By name, the sections of the configuration that belong to the model."""
        return {name: self.config.get(name, {}) for name in MODEL_SECTIONS}

    def to_json(self) -> str:
        """The card as JSON text, keys sorted."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card.

        Raises:
            ModelError: Not a JSON object with the fields of a card.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            msg = "a model card is a JSON object with the fields of ModelCard"
            raise ModelError(msg, got=error) from error


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One entry of a model registry's listing."""

    card: ModelCard
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RegistrationJob:
    """The settings that every case of a run is registered with."""

    run_id: str
    config: Config
    """Preprocessing and network from the model's card, the rest from the run."""
    card: ModelCard
    splits: Mapping[str, Split]
    """By the fingerprint of a case, the part of the model's split that it was in."""
    alignment: Alignment
    """Choice of `A`."""
    provenance: Mapping[str, str]
    """Shown on each case's page; no paths."""
