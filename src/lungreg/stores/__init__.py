"""The stores that the pipeline talks to, as Protocols with written contracts.

The pipeline takes them as arguments and cannot tell which implementation it got. Every
implementation is picklable (settings inside, connections opened on first use), raises the errors
named here for the same faults, and passes the suites in `tests/contracts`.
"""

from __future__ import annotations

from lungreg.stores.account import (
    Billing,
    BillQuery,
    Check,
    Examiner,
    Held,
    Provisioned,
    Provisioner,
    Removal,
    SetupPart,
)
from lungreg.stores.backend import Backend
from lungreg.stores.incoming import Incoming
from lungreg.stores.jobs import JobRunner, ListedJob
from lungreg.stores.models import (
    CHAMPION,
    ModelRegistry,
    check_alias,
    check_model_name,
    check_weights,
    choose_version,
    is_model_name,
    unknown_version,
)
from lungreg.stores.results import ResultTable
from lungreg.stores.schedules import Schedule, Scheduler
from lungreg.stores.stage import MAX_NAME_BYTES, FileInfo, Stage, check_name
from lungreg.stores.tracker import Tracker

__all__ = [
    "CHAMPION",
    "MAX_NAME_BYTES",
    "Backend",
    "BillQuery",
    "Billing",
    "Check",
    "Examiner",
    "FileInfo",
    "Held",
    "Incoming",
    "JobRunner",
    "ListedJob",
    "ModelRegistry",
    "Provisioner",
    "Provisioned",
    "Removal",
    "ResultTable",
    "Schedule",
    "Scheduler",
    "SetupPart",
    "Stage",
    "Tracker",
    "check_alias",
    "check_model_name",
    "check_name",
    "check_weights",
    "choose_version",
    "is_model_name",
    "unknown_version",
]
