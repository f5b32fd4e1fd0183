"""Wait for processors of a Ray cluster that others hold, aloud; refuse where they never come."""

from __future__ import annotations

import logging
import math
import time

from lungreg.distributed.capacity import Capacity
from lungreg.errors import ResourceError
from lungreg.extras import of_extra

with of_extra("cluster"):
    import ray
    from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group

_log = logging.getLogger(__name__)

SILENT_S = 3.0
"""A wait that is not told: processors of workers that have just ended take a moment."""
_TOLD_EVERY_S = 60.0
LONGEST_S = 600.0
"""Longest wait on a cluster of a fixed size."""
_LONGEST_GROWING_S = 3600.0
"""Longest wait where an autoscaler may have to start machines."""
_POLL_S = 1.0
_LOOK_EVERY_S = 10.0
"""Between questions for the actors that hold processors: Ray's API server starts behind it."""
_STATE_S = 5
"""Seconds that Ray has to list its actors."""


def await_processors(count: int, capacity: Capacity, *, gpu: bool, key: str) -> None:
    """Return once the cluster has room for so many workers, each on one GPU or CPU core.

    The wait is a placement group, which an autoscaler takes for a demand; it is given back at
    once. Ray itself would wait without a word and for ever.

    Args:
        count: Workers that must run at the same time.
        capacity: Of the cluster.
        gpu: Whether each takes a GPU.
        key: That sets their number, for messages.

    Raises:
        ResourceError: Actors of this very process hold what is needed, or others did not let go of
            it in time.
    """
    kind, total = ("GPU", capacity.gpus) if gpu else ("CPU", capacity.cpus)
    if ray.available_resources().get(kind, 0) >= count:
        return
    bundle = {"GPU": 1.0, "CPU": 1.0} if gpu else {"CPU": 1.0}
    asked = placement_group([bundle] * count)
    try:
        if not asked.wait(SILENT_S):
            _wait_aloud(asked, _Need(count=count, kind=kind, total=total, key=key))
    finally:
        remove_placement_group(asked)


class _Need:
    """What is waited for, in words."""

    def __init__(self, *, count: int, kind: str, total: int, key: str) -> None:
        self.count, self.kind, self.total, self.key = count, kind, total, key

    @property
    def name(self) -> str:
        """Such as "2 CPU cores"."""
        unit = "GPU" if self.kind == "GPU" else "CPU core"
        return f"{self.count} {unit}{'s' * (self.count != 1)}"

    def refusal(self, got: str) -> ResourceError:
        """The error where they do not come."""
        msg = f"{self.key} needs {self.name} of the Ray cluster that are free"
        mend = f"end what holds them, such as actors of your own with ray.kill, or set {self.key}"
        return ResourceError(msg, got=got, mend=f"{mend} to 0, which needs no Ray")


def _wait_aloud(asked: PlacementGroup, need: _Need) -> None:
    limit_s = _LONGEST_GROWING_S if _can_grow(need) else LONGEST_S
    started = time.monotonic()
    told = looked = -math.inf
    while True:
        waited = time.monotonic() - started
        if waited - told > _TOLD_EVERY_S:
            told = waited
            _tell(need, waited, limit_s)
        if waited - looked > _LOOK_EVERY_S:
            looked = waited
            _refuse_what_never_comes(need)
        if asked.wait(_POLL_S):
            return
        if waited > limit_s:
            got = f"{_free(need)} of {need.total} for {limit_s / 60:g} min"
            raise need.refusal(got)


def _refuse_what_never_comes(need: _Need) -> None:
    """Actors of this process end with it, and it is waiting here itself."""
    own = _held_by_own_actors(need.kind)
    if need.total - own < need.count and not _can_grow(need):
        held = f"{own:g} of {need.total} held by actors of this process, which waits itself"
        raise need.refusal(held)


def _tell(need: _Need, waited_s: float, limit_s: float) -> None:
    _log.warning(
        "waiting for %s of the Ray cluster: %d of %d are free, other work holds the rest; "
        "%.0f of at most %.0f min",
        *(need.name, _free(need), need.total, waited_s / 60, limit_s / 60),
    )


def _free(need: _Need) -> int:
    now: float = ray.available_resources().get(need.kind, 0)
    return math.floor(now)


def _can_grow(need: _Need) -> bool:
    """Whether the capacity is more than the cluster has now: an autoscaler can add it."""
    now: float = ray.cluster_resources().get(need.kind, 0)
    return need.total > now


def _held_by_own_actors(kind: str) -> float:
    """Processors of actors that this process has started; 0 where Ray does not say, or not yet."""
    from ray.util.state import list_actors

    job = ray.get_runtime_context().get_job_id()
    try:
        alive = list_actors(
            filters=[("state", "=", "ALIVE"), ("job_id", "=", job)],
            detail=True,
            timeout=_STATE_S,
            raise_on_missing_output=False,
        )
    except Exception:  # noqa: BLE001  # a cluster without its API server has many ways to say so
        return 0.0
    return float(sum((actor.required_resources or {}).get(kind, 0) for actor in alive))
