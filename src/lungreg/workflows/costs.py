"""What a run took, and what it may have cost."""

from __future__ import annotations

from lungreg.config import Cost
from lungreg.workflows.inference import InferReport

_PUBLISHED = {"seconds": 46.0, "cases": 20, "gpus": 4, "rate": 2.68}
"""The published Snowflake demo: 46 s for 20 cases on 4 GPUs, quoted as 0.14 credits on 4 nodes of
2.68 credits an hour; a GPU_NV_M node has 4 GPUs, so one node and 0.034 credits would have done."""


def estimated_credits(seconds: float, cost: Cost) -> float:
    """Credits for holding the nodes of a rate so long. An estimate; the bill is the provider's."""
    return seconds / 3600 * cost.nodes * cost.credits_per_node_hour


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
    dated = f", rate of {cost.as_of}" if cost.as_of else ""
    return (
        f"about {estimated_credits(done.seconds, cost):.4f} credits"
        f" on {cost.nodes} node(s){dated}; "
        f"the published run: 46 s, 20 cases, {four:.2f} credits on 4 nodes as quoted, "
        f"{one:.3f} on the one node of 4 GPUs that it needed"
    )
