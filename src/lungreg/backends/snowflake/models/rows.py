"""Input and output rows of batch inference: one case each, its files as bytes.

Used on both sides: by the model inside the job, and by the process that started the job.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lungreg.config import Config, Quality, parse_config
from lungreg.errors import StoreError
from lungreg.records import (
    CaseMetrics,
    CaseResult,
    ModelCard,
    RegistrationJob,
    Split,
    Status,
    Verdict,
)
from lungreg.stores.names import (
    DESCRIPTION_FILE,
    DISPLACEMENT_FILE,
    IMAGE_FILE,
    LABEL_FILE,
    METRICS_FILE,
    PAGE_FILE,
)

CASE_ID = "CASE_ID"
INPUT_FILES = {
    "fixed": "FIXED",
    "moving": "MOVING",
    "fixed_mask": "FIXED_LABEL",
    "moving_mask": "MOVING_LABEL",
    "landmarks": "LANDMARKS",
}
"""Column of a file's bytes by its attribute of `Case`. A case may lack the last three."""
INPUT_FACTS: dict[str, tuple[str, type[Any]]] = {
    "fixed_hu_offset": ("FIXED_HU_OFFSET", float),
    "moving_hu_offset": ("MOVING_HU_OFFSET", float),
    "fingerprint": ("FINGERPRINT", str),
}
"""Column and type of the manifest's facts of a case, by their attribute of `Case`."""
NO_FILE = b"no file\n"
"""Content of the placeholder for files that a case lacks: each path needs a file."""

OUTPUT_FILES = {
    "IMAGE": IMAGE_FILE,
    "LABEL": LABEL_FILE,
    "FIELD": DISPLACEMENT_FILE,
    "FIELD_FACTS": DESCRIPTION_FILE,
    "METRICS": METRICS_FILE,
    "PAGE": PAGE_FILE,
}
"""Name of a file in the case's folder, by the column of its bytes."""
METRICS = tuple(field.name for field in dataclasses.fields(CaseMetrics))
"""Columns of numbers, in capitals there, for people who query a job's Parquet files."""
TEXTS = ("status", "verdict", "evidence", "error_code", "error_message")
"""Columns of text, in capitals there, for the same people."""
RESULT = "RESULT"
"""Column of the whole row as JSON, since NaN and null are the same in a column of numbers."""
OUTPUT_COLUMNS: dict[str, type[Any]] = {
    CASE_ID: str,
    **{name.upper(): str for name in TEXTS},
    **{name.upper(): float for name in METRICS},
    RESULT: str,
    **dict.fromkeys(OUTPUT_FILES, bytes),
}
"""Type by column of the model's output, in order."""
INPUT_COLUMNS: dict[str, type[Any]] = {
    CASE_ID: str,
    **dict.fromkeys(INPUT_FILES.values(), bytes),
    **dict(INPUT_FACTS.values()),
}
"""Type by column of the model's input, in order."""

_SHIPPED: Any = {
    "seed": True,
    "refine": True,
    "quality": True,
    "infer": {"alignment", "full_resolution_field", "qc"},
    "ingest": {"max_voxels"},
}
LATER_THRESHOLDS = frozenset(
    {
        *(
            "tre_p95_warn_mm",
            "landmarks_enough",
            "etre_warn_mm",
            "etre_fail_mm",
            "etre_found_warn_pct",
        ),
        *("etre_found_fail_pct", "etre_places_warn", "region_warn_mm", "gain_warn_pct"),
        "region_mean_warn_mm",
        *("stretch_warn", "time_points", "mask_cover_warn_pct", "in_place_warn", "ncc_warn"),
        *("unlike_warn_pct", "tre_max_warn_mm", "soft_edge_warn_mm"),
    }
)
"""Keys of `quality` that models of earlier versions do not know: a stored model brings its own
code, which refuses unknown keys, so that these are shipped only where they are not the default."""
_NO_RUN = "batch"
_GPUS = "gpus"
_TIMES = ("started_at", "finished_at")


def settings_text(job: RegistrationJob, *, gpus: int = 0) -> str:
    """A run's settings for its model, as JSON without case ids: it is part of a statement.

    Args:
        job: What to do with each case.
        gpus: How many GPUs each replica has; with any the model refuses to compute without CUDA.

    Raises:
        ConfigError: The run has no model.
    """
    card = job.stored_model
    return json.dumps(
        {
            "run_id": job.run_id,
            "model": card.name,
            "version": card.version,
            "alignment": job.alignment,
            "config": _shipped(job.config),
            "provenance": dict(job.provenance),
            _GPUS: gpus,
        }
    )


def gpus_of(text: str) -> int:
    """The number of GPUs in the text of `settings_text`; 0 where it has none."""
    return int(json.loads(text).get(_GPUS, 0))


def _shipped(config: Config) -> dict[str, Any]:
    """The sections of a run's configuration that the model inside the job uses."""
    sections = config.model_dump(mode="json", include=_SHIPPED)
    default = Quality().model_dump(mode="json")
    sections["quality"] = {
        name: value
        for name, value in sections["quality"].items()
        if name not in LATER_THRESHOLDS or value != default[name]
    }
    return dict(sections)


def job_of(text: str, card: ModelCard) -> RegistrationJob:
    """The job that `settings_text` describes, for the model of a card.

    Args:
        text: JSON; keys that are missing have their defaults, so "{}" is enough.
        card: Its preprocessing and network are used, and never those of the run.
    """
    given = json.loads(text)
    config = parse_config({**given.get("config", {}), **card.sections})
    name, version = given.get("model", card.name), given.get("version", card.version)
    return RegistrationJob(
        run_id=given.get("run_id", _NO_RUN),
        config=config,
        card=dataclasses.replace(card, name=name, version=version),
        splits={key: Split(split) for split, keys in card.split.items() for key in keys},
        alignment=given.get("alignment", config.preprocessing.alignment),
        provenance=given.get("provenance", {}),
    )


@dataclass(frozen=True, kw_only=True)
class BatchOutput:
    """The result of one case in a batch job, and its files."""

    result: CaseResult
    files: Mapping[str, bytes]
    """Bytes by name in the case's folder; none for a failed case."""


def output_row(output: BatchOutput) -> dict[str, Any]:
    """A row of the model's output."""
    result = output.result
    return {
        CASE_ID: result.case_id,
        **{name.upper(): getattr(result, name) for name in (*TEXTS, *METRICS)},
        RESULT: json.dumps(dataclasses.asdict(result), default=_text),
        **{column: output.files.get(name) for column, name in OUTPUT_FILES.items()},
    }


def read_result(text: object) -> CaseResult:
    """The result in a row of the model's output.

    Args:
        text: Of the column `RESULT`.

    Raises:
        StoreError: It is not as `output_row` writes it.
    """
    try:
        stored = json.loads(text)  # type: ignore[arg-type]  # what is no text raises TypeError
        times = {name: datetime.fromisoformat(stored[name]) for name in _TIMES}
        kinds = {
            "split": Split(stored["split"]),
            "status": Status(stored["status"]),
            "verdict": Verdict(stored["verdict"]),
        }
        return CaseResult(**{**stored, **times, **kinds})
    except (KeyError, TypeError, ValueError) as error:
        msg = "a batch job answers with rows of results"
        mend = "log the model again with this version of lungreg"
        raise StoreError(msg, got=type(error).__name__, mend=mend) from error


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
