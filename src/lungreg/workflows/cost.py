"""The time that a run took, an estimate of its credits, and the query for the billed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lungreg.backends import open_backend
from lungreg.config import Config, Cost
from lungreg.errors import RunError
from lungreg.records import counted
from lungreg.stores import Backend, BillQuery
from lungreg.stores.usage import Usage, read_usage

if TYPE_CHECKING:
    from lungreg.workflows.infer_report import InferReport


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """The time and the estimated credits of one run."""

    run_id: str
    seconds: float
    """Wall time of all its calls, in seconds; pauses between them do not count."""
    calls: int
    """1, and one more for each time that the run was resumed."""
    cases: int
    """Rows in the result table; 0 for a training run."""
    begin: datetime
    """Start of the first call, UTC."""
    end: datetime
    """End of the last call, UTC."""
    nodes: int
    """Largest number of nodes of a call; one without a record counts as `cost.nodes`, or 1."""
    credits: float | None
    """Estimated credits; None without a rate in the configuration."""
    bill: BillQuery | None
    """Query for the billed credits; None for a backend without a bill."""


def run_cost(config: Config, run_id: str, *, backend: Backend | None = None) -> RunCost:
    """Estimate the credits of a run from its wall time and the rate in the configuration.

    Raises:
        RunError: The run is unknown, or has not recorded any time yet.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "cost")
    calls = read_usage(backend.stage, run_id)
    # A training run has no result rows, and the role that trains may not read the table.
    rows = [] if run_id.startswith("train-") else backend.results.rows(run_id)
    if not calls and rows:  # killed before it could record its time
        begin, end = min(r.started_at for r in rows), max(r.finished_at for r in rows)
        calls = [Usage(started_at=begin, seconds=(end - begin).total_seconds())]
    if not calls:
        msg = "a run whose cost is asked has taken some time"
        mend = "give a run of 'lungreg train' or 'lungreg infer' that has ended"
        raise RunError(msg, got=f"nothing of {run_id!r}", mend=mend)
    begin, end = calls[0].started_at, max(call.ended_at for call in calls)
    return RunCost(
        run_id=run_id,
        seconds=sum(call.seconds for call in calls),
        calls=len(calls),
        cases=len(rows),
        begin=begin,
        end=end,
        nodes=max(_nodes(call, config.cost) for call in calls),
        credits=None if config.cost is None else _credits(calls, config.cost),
        bill=None if backend.billing is None else backend.billing.query(begin, end, _pool(calls)),
    )


def _nodes(call: Usage, cost: Cost | None) -> int:
    assumed = 1 if cost is None else cost.nodes
    return assumed if call.held is None else call.held.nodes


def _credits(calls: Sequence[Usage], cost: Cost) -> float:
    """The sum over calls, each with its recorded nodes, or `cost.nodes` where it has none."""
    return sum(estimated_credits(call.seconds, cost, nodes=_nodes(call, cost)) for call in calls)


def _pool(calls: Sequence[Usage]) -> str | None:
    return next((call.held.pool for call in calls if call.held is not None), None)


def estimated_credits(seconds: float, cost: Cost, *, nodes: int | None = None) -> float:
    """Credits of nodes that run for some time. An estimate: the provider's bill may differ.

    Args:
        seconds: Wall time.
        cost: The rate per node and hour.
        nodes: Number of nodes; None for `cost.nodes`.
    """
    return seconds / 3600 * (nodes or cost.nodes) * cost.credits_per_node_hour


def run_cost_lines(found: RunCost, cost: Cost | None) -> list[str]:
    """Lines of `lungreg cost`: time, estimated credits and the query for the billed ones."""
    per_case = f", {found.seconds / found.cases:.2f} s a case" if found.cases else ""
    lines = [
        f"run {found.run_id}: {found.seconds:.1f} s in {counted(found.calls, 'call')}{per_case}"
    ]
    if cost is None or found.credits is None:
        lines.append("no estimate without a rate: set cost.credits_per_node_hour, nodes and as_of")
    else:
        lines.append(
            f"estimate: about {found.credits:.4f} credits on {counted(found.nodes, 'node')} at "
            f"{cost.credits_per_node_hour:g} credits per node and hour ({_dated(cost)})"
        )
    if found.bill is None:
        return [*lines, "this backend sends no bill: there is no query for what was billed"]
    return [*lines, f"billed ({found.bill.note}):", found.bill.sql]


def cost_lines(done: InferReport, cost: Cost | None) -> list[str]:
    """Lines of `lungreg infer`: time and GPU time per case; with a rate, estimated credits."""
    if not done.registered:
        return ["nothing was left to register"]
    per_case = done.seconds / done.registered
    lines = [f"{counted(done.registered, 'case')} in {done.seconds:.1f} s, {per_case:.2f} s a case"]
    gpu_s = done.gpu_seconds_per_case
    lines.append("no GPU took part" if gpu_s is None else f"{gpu_s:.2f} GPU-seconds a case")
    if cost is not None:
        estimate = estimated_credits(done.seconds, cost)
        lines.append(
            f"about {estimate:.4f} credits on {counted(cost.nodes, 'node')}, {_dated(cost)}"
        )
    return lines


def _dated(cost: Cost) -> str:
    day = "rate without a date" if cost.as_of is None else f"rate of {cost.as_of.isoformat()}"
    return day if cost.source is None else f"{day}, {cost.source}"
