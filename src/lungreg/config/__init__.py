"""One YAML run as pydantic models, one per top-level key; unknown keys are refused.

Paths in a file are relative to the file's own folder, so that a run can be started from anywhere.
"""

from __future__ import annotations

from lungreg.config.input import (
    DEFAULT_KEY_FILE,
    INCOMING,
    NAMED_SOURCES,
    Data,
    Ingest,
    LocalBackend,
    Pattern,
    SplitSpec,
)
from lungreg.config.loading import DEFAULT_FILE, load_config, parse_config
from lungreg.config.model import Augmentation, Loss, Network, Preprocessing, Train
from lungreg.config.quality import Quality
from lungreg.config.run import (
    BackendSettings,
    Config,
    Cost,
    Infer,
    Refine,
    RefinePreset,
    Report,
)
from lungreg.config.section import (
    MODEL_NAME,
    MODEL_NAME_FORM,
    Alignment,
    Section,
    WorkerRange,
    Workers,
)
from lungreg.config.snowflake import Batch, ComputePool, Roles, SnowflakeBackend
from lungreg.config.template import write_template

__all__ = [
    "DEFAULT_FILE",
    "DEFAULT_KEY_FILE",
    "MODEL_NAME",
    "MODEL_NAME_FORM",
    "INCOMING",
    "NAMED_SOURCES",
    "Alignment",
    "Augmentation",
    "BackendSettings",
    "Batch",
    "ComputePool",
    "Config",
    "Cost",
    "Data",
    "Infer",
    "Ingest",
    "LocalBackend",
    "Loss",
    "Network",
    "Pattern",
    "Preprocessing",
    "Quality",
    "Refine",
    "RefinePreset",
    "Report",
    "Roles",
    "Section",
    "SnowflakeBackend",
    "SplitSpec",
    "Train",
    "WorkerRange",
    "Workers",
    "load_config",
    "parse_config",
    "write_template",
]
