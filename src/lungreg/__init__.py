"""Register paired lung CT, expiration and inspiration, for whole cohorts.

    import lungreg
    config = lungreg.load_config("lungreg.yaml")
    lungreg.ingest(config)
    lungreg.train(config)
    done = lungreg.infer(config)
    lungreg.report(config, done.run_id)

Nothing heavy is imported before it is used. Research use only, not a medical device.
"""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING

from lungreg.lazy import on_first_use

if TYPE_CHECKING:
    from lungreg.cli.bars import progress_bar
    from lungreg.config import Config, load_config, parse_config
    from lungreg.errors import LungregError
    from lungreg.records import Case, CaseMetrics, CaseResult, ModelCard
    from lungreg.sources.pair_files import PairFiles
    from lungreg.workflows.apply import AppliedImage, apply_to_image
    from lungreg.workflows.apply_points import AppliedPoints, apply_to_points
    from lungreg.workflows.demo import demo
    from lungreg.workflows.evaluate import EvaluationReport, evaluate
    from lungreg.workflows.export import ExportReport, export
    from lungreg.workflows.infer import infer
    from lungreg.workflows.infer_report import InferReport
    from lungreg.workflows.ingest import IngestReport, ingest
    from lungreg.workflows.progress import Progress
    from lungreg.workflows.register import register
    from lungreg.workflows.register_records import RegisterReport, RegisterSettings
    from lungreg.workflows.report import report, show_report
    from lungreg.workflows.results import query_results
    from lungreg.workflows.show import show
    from lungreg.workflows.simulate import simulate
    from lungreg.workflows.train import TrainReport, train

# Nobody is told that lungreg ran, and nothing of it is copied, unless the user has said otherwise.
# This must be set before the first import of these packages, which others make as well: MONAI
# imports MLflow.
for _switch, _off in (
    ("RAY_USAGE_STATS_ENABLED", "0"),
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    # Started by `uv run`, Ray would pack the working folder, scans and all, for its workers.
    ("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0"),
):
    os.environ.setdefault(_switch, _off)

# OpenMP's threads spin while they wait for each other: beside other work on the same cores a
# registration then takes seven times as long. Read once, as torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = metadata.version("lungreg")

_HOMES = {
    "cli.bars": ("progress_bar",),
    "config": ("Config", "load_config", "parse_config"),
    "errors": ("LungregError",),
    "records": ("Case", "CaseMetrics", "CaseResult", "ModelCard"),
    "workflows.apply": ("AppliedImage", "apply_to_image"),
    "workflows.apply_points": ("AppliedPoints", "apply_to_points"),
    "workflows.demo": ("demo",),
    "workflows.evaluate": ("EvaluationReport", "evaluate"),
    "workflows.export": ("ExportReport", "export"),
    "workflows.infer": ("infer",),
    "workflows.infer_report": ("InferReport",),
    "workflows.ingest": ("IngestReport", "ingest"),
    "workflows.train": ("TrainReport", "train"),
    "sources.pair_files": ("PairFiles",),
    "workflows.results": ("query_results",),
    "workflows.progress": ("Progress",),
    "workflows.register": ("register",),
    "workflows.register_records": ("RegisterReport", "RegisterSettings"),
    "workflows.report": ("report", "show_report"),
    "workflows.simulate": ("simulate",),
    "workflows.show": ("show",),
}

__all__ = [
    "AppliedImage",
    "AppliedPoints",
    "Case",
    "CaseMetrics",
    "CaseResult",
    "Config",
    "EvaluationReport",
    "ExportReport",
    "InferReport",
    "IngestReport",
    "LungregError",
    "ModelCard",
    "PairFiles",
    "Progress",
    "RegisterReport",
    "RegisterSettings",
    "TrainReport",
    "__version__",
    "apply_to_image",
    "apply_to_points",
    "demo",
    "evaluate",
    "export",
    "infer",
    "ingest",
    "load_config",
    "parse_config",
    "progress_bar",
    "query_results",
    "register",
    "report",
    "show",
    "show_report",
    "simulate",
    "train",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    return on_first_use(__name__, _HOMES, name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
