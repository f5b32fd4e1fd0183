"""The frozen nouns that travel between steps: cases, metrics, results, model cards."""

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
    """Of an ingested pair: it stays off the stage."""


class Status(StrEnum):
    """How the registration of one case ended."""

    SUCCESS = "success"
    FAILED = "failed"


class Split(StrEnum):
    """What a case was to the model that registered it."""

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
    """What the fixed file's stored values lie above Hounsfield units (0 or about 1000)."""
    moving_hu_offset: float = 0.0
    """Likewise for the moving file."""
    group: str | None = None
    """Patient, where given: cases of one group are never split over train, val and test."""
    fingerprint: str = ""
    """SHA-256 over the case's files."""


@dataclass(frozen=True, kw_only=True)
class Remarks:
    """What a person should know of a registered case beside its numbers; no case ids, no paths."""

    reasons: tuple[str, ...] = ()
    """Why the verdict is not simply "pass", failures first."""
    lungs_from: str | None = None
    """How the lungs of the fixed scan are known: "mask", "threshold", or "whole scan": not."""
    notes: tuple[str, ...] = ()
    """What is odd about the files or about how the transform was found."""


@dataclass(frozen=True, kw_only=True)
class CaseMetrics:
    """What is reported of one registered case. `None` where the case lacks what it needs.

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
    """What speaks for or against a registration where there are neither masks nor landmarks."""

    residual: float | None = None
    """What differs inside the lungs once local density is set aside: 0 nothing, 1 all."""
    inverse_mean_mm: float | None = None
    """Mean distance inside the lungs between a point and where `T`, then its inverse, put it."""
    inverse_max_mm: float | None = None
    volume_ratio_jacobian: float | None = None
    """Mean Jacobian of `T` over the fixed lungs: by what factor `T` enlarges them."""
    dice_segmented: float | None = None
    """Dice of lungs of which at least one side was segmented here, by threshold."""


@dataclass(frozen=True, kw_only=True)
class CaseEvaluation(CaseMetrics, Evidence):
    """One registered case measured again from its files: one row of `lungreg evaluate`."""

    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
    reasons: tuple[str, ...] = ()
    """Why not simply "pass", in words."""
    error_code: str | None = None
    error_message: str | None = None
    """Without case ids or paths."""
    fixed_lungs_from: str | None = None
    """"mask", "threshold" (segmented here) or "whole scan" (nothing looks like a lung)."""
    moving_lungs_from: str | None = None
    landmarks: int | None = None
    """How many pairs of points."""
    tre_p95_mm: float | None = None
    """95th percentile of the landmarks' errors, mm."""
    tre_max_mm: float | None = None
    sdlogj_learn2reg: float | None = None
    """What Learn2Reg's script calls SDlogJ, of log(J + 3): compare it with its tables only."""
    fixed_lungs_ml: float | None = None
    """Volume of the fixed lungs, ml."""
    moving_lungs_ml: float | None = None
    volume_ratio_lungs: float | None = None
    """Volume of the moving lungs over that of the fixed ones."""
    hd95_segmented_mm: float | None = None
    """Like `dice_segmented`, for `hd95_mm`."""


@dataclass(frozen=True, kw_only=True)
class CaseResult(CaseMetrics):
    """One row of the result table: what came of one case in one run."""

    run_id: str
    case_id: str
    split: Split = Split.UNSEEN
    status: Status = Status.SUCCESS
    verdict: Verdict = Verdict.PASS
    error_code: str | None = None
    error_message: str | None = None
    """Without case ids or paths."""
    output_image: str | None = None
    """Name on the stage of the warped moving image; likewise the next two."""
    output_label: str | None = None
    output_transform: str | None = None
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
    *("dice_score", "dice_initial", "dice_aligned", "ssim_score", "ncc", "hd95_mm"),
    *("tre_mm", "tre_median_mm", "tre_initial_mm", "tre_aligned_mm"),
    *("fold_pct", "jacobian_min", "jacobian_max", "sdlogj", "outside_fov_pct"),
    *("output_image", "output_label", "output_transform", "model_name", "model_version"),
    *("read_s", "compute_s", "write_s", "attempt", "worker", "started_at", "finished_at"),
    "schema_version",
)
"""Order of the columns of the result table, the same in every backend."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a person and a machine must know of a stored model before using it."""

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
    """What is the same for every case of a run."""

    run_id: str
    config: Config
    """Preprocessing and network from the model's card, the rest from the run."""
    card: ModelCard
    splits: Mapping[str, Split]
    """By fingerprint: what a case was to the model."""
    alignment: Alignment
    """Choice of `A`."""
    provenance: Mapping[str, str]
    """Shown on each case's page; no paths."""
