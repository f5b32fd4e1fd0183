"""What a run took, and what it may have cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lungreg.backends import open_backend
from lungreg.config import Config, Cost
from lungreg.errors import RunError
from lungreg.stores import Backend, BillQuery
from lungreg.stores.usage import Usage, read_usage

if TYPE_CHECKING:
    from lungreg.workflows.infer import InferReport

_PUBLISHED = {"seconds": 46.0, "cases": 20, "gpus": 4, "rate": 2.68}
"""The published Snowflake demo: 46 s for 20 cases on 4 GPUs, quoted as 0.14 credits on 4 nodes of
2.68 credits an hour; a GPU_NV_M node has 4 GPUs, so one node and 0.034 credits would have done."""


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """What one run took."""

    run_id: str
    seconds: float
    """Wall time of all its calls."""
    calls: int
    """1, and one for each time that the run was gone on with."""
    cases: int
    """Rows in the result table; none for a training run."""
    begin: datetime
    """UTC; likewise `end`."""
    end: datetime
    nodes: int
    """Most nodes that a call held; those of the rate where the calls do not know."""
    credits: float | None
    """Estimated; None without a rate in the configuration."""
    bill: BillQuery | None
    """How to ask for the billed figure; None where nobody sends a bill."""


def run_cost(config: Config, run_id: str, *, backend: Backend | None = None) -> RunCost:
    """Estimate what a run cost, from its wall time and the rate of the configuration.

    Raises:
        RunError: Nothing is known of such a run.
    """
    backend = (backend or open_backend(config.backend)).for_run(run_id, "cost")
    calls = read_usage(backend.stage, run_id)
    # A role that trains reads no results, and a training run has none.
    rows = [] if run_id.startswith("train-") else backend.results.rows(run_id)
    if not calls and rows:  # killed before it could write down its time
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
    """Each call at the nodes that it held; at those of the rate where it does not know."""
    return sum(estimated_credits(call.seconds, cost, nodes=_nodes(call, cost)) for call in calls)


def _pool(calls: Sequence[Usage]) -> str | None:
    return next((call.held.pool for call in calls if call.held is not None), None)


def estimated_credits(seconds: float, cost: Cost, *, nodes: int | None = None) -> float:
    """Credits for holding nodes so long. An estimate; the bill is the provider's.

    Args:
        seconds: Wall time.
        cost: The rate.
        nodes: How many; None for those of the rate.
    """
    return seconds / 3600 * (nodes or cost.nodes) * cost.credits_per_node_hour


def run_cost_lines(found: RunCost, cost: Cost | None) -> list[str]:
    """Time, estimated credits and the query for the billed ones, for people."""
    per_case = f", {found.seconds / found.cases:.2f} s a case" if found.cases else ""
    lines = [f"run {found.run_id}: {found.seconds:.1f} s in {found.calls} call(s){per_case}"]
    if cost is None or found.credits is None:
        lines.append("no estimate without a rate: set cost.credits_per_node_hour, nodes and as_of")
    else:
        lines.append(
            f"estimate: about {found.credits:.4f} credits on {found.nodes} node(s) at "
            f"{cost.credits_per_node_hour:g} credits per node and hour ({_dated(cost)})"
        )
    if found.bill is None:
        return [*lines, "nobody bills this backend: what was billed is not to be asked here"]
    return [*lines, f"billed ({found.bill.note}):", found.bill.sql]


def cost_lines(done: InferReport, cost: Cost | None) -> list[str]:
    """Time per case, GPU time per case and, with rates given, estimated credits, for people."""
    if not done.registered:
        return ["nothing was left to register"]
    per_case = done.seconds / done.registered
    lines = [f"{done.registered} cases in {done.seconds:.1f} s, {per_case:.2f} s a case"]
    held = done.gpu_seconds_per_case
    lines.append("no GPU took part" if held is None else f"{held:.2f} GPU-seconds a case")
    if cost is not None:
        lines.append(_credits_line(done, cost))
    return lines


def _credits_line(done: InferReport, cost: Cost) -> str:
    seconds, rate = float(_PUBLISHED["seconds"]), float(_PUBLISHED["rate"])
    quoted, needed = (Cost(credits_per_node_hour=rate, nodes=nodes) for nodes in (4, 1))
    four, one = estimated_credits(seconds, quoted), estimated_credits(seconds, needed)
    return (
        f"about {estimated_credits(done.seconds, cost):.4f} credits"
        f" on {cost.nodes} node(s), {_dated(cost)}; "
        f"the published run: 46 s, 20 cases, {four:.2f} credits on 4 nodes as quoted, "
        f"{one:.3f} on the one node of 4 GPUs that it needed"
    )


def _dated(cost: Cost) -> str:
    day = "rate without a date" if cost.as_of is None else f"rate of {cost.as_of.isoformat()}"
    return day if cost.source is None else f"{day}, {cost.source}"
