"""The story of the product: what happens to a cohort, in order.

    simulate or download     files in one of the known layouts
        -> ingest            checked pairs and a manifest on the stage     (ingestion.py)
        -> train             LocalNet on Ray, a version in the registry    (learning.py)
        -> infer             every pair registered, a row for each         (inference.py)
        -> report            one page that says what can be trusted        (reporting.py)
    demo does all of it with defaults                                      (demonstration.py)

Each takes a configuration, opens the backend that it names unless it is given one, and returns a
record. Progress is told to a callback, never printed.
"""

from __future__ import annotations

from lungreg.workflows.costs import cost_lines, estimated_credits
from lungreg.workflows.demonstration import DEMO_CASES, Demo, demo, simulate, summarise_demo
from lungreg.workflows.doctor import Check, examine
from lungreg.workflows.inference import (
    InferReport,
    export_table,
    infer,
    query_results,
    run_results,
)
from lungreg.workflows.ingestion import IngestReport, ingest
from lungreg.workflows.learning import TrainReport, train
from lungreg.workflows.packages import export_model, import_model
from lungreg.workflows.reporting import report
from lungreg.workflows.runs import OnProgress, Progress
from lungreg.workflows.viewing import show

__all__ = [
    "DEMO_CASES",
    "Check",
    "Demo",
    "InferReport",
    "IngestReport",
    "OnProgress",
    "Progress",
    "TrainReport",
    "cost_lines",
    "demo",
    "estimated_credits",
    "examine",
    "export_model",
    "export_table",
    "import_model",
    "infer",
    "ingest",
    "query_results",
    "report",
    "run_results",
    "show",
    "simulate",
    "summarise_demo",
    "train",
]
