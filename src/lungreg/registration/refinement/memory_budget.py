"""Estimate the memory of a refinement, and choose a coarser grid where memory is short."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch

from lungreg.errors import ResourceError
from lungreg.registration.refinement.plan import Plan
from lungreg.spatial.geometry import Grid

_log = logging.getLogger(__name__)
_BYTES_PER_VOXEL = 300
"""Of the working grid: two sets of 12 features, one of them twice, the scene, gradients."""
_BYTES_PER_DETAIL = 200
"""Of the grid of a level finer than the working grid: the scene again, contrast, places, gradients;
the features of the working grid are gone by then."""
_BYTES_PER_SAMPLE = 1_500
_COARSEST_MM = 8.0
_LARGE_ADULT_MM = (330.0, 250.0, 330.0)
"""Sides of the box of both lungs in deep inspiration, with the working grid's margin."""
_UNLIMITED = 1 << 62
CGROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def estimated_bytes(plan: Plan, grid: Grid, *, growth: float = 1.0) -> int:
    """Bytes that `refine` needs beside the scans themselves.

    Args:
        plan: Levels and settings.
        grid: The working grid.
        growth: Volume of the working grid of the way back, around the moving lungs, by that of
            this one.
    """
    coarse = grid.size * (plan.spacing_mm / plan.search_spacing_mm) ** 3
    candidates = (2 * round(plan.search_mm / plan.search_spacing_mm) + 1) ** 3
    places = min(plan.samples, grid.size)
    search = 4 * 3 * coarse * candidates if plan.search_mm else 0.0
    finest_mm = min(level.spacing_mm for level in plan.levels)
    details = grid.size * (plan.spacing_mm / finest_mm) ** 3 if finest_mm < plan.spacing_mm else 0
    if plan.back is not None:
        details = max(details, growth * grid.size * (plan.spacing_mm / plan.back.spacing_mm) ** 3)
    working = max(search, _BYTES_PER_SAMPLE * places) + _BYTES_PER_VOXEL * grid.size
    return round(max(working, _BYTES_PER_SAMPLE * places + _BYTES_PER_DETAIL * details))


def usual_bytes(plan: Plan) -> int:
    """Bytes that `refine` needs for the lungs of a large adult, to divide a machine's memory by."""
    nx, ny, nz = (round(side / plan.spacing_mm) for side in _LARGE_ADULT_MM)
    return estimated_bytes(plan, Grid(affine=np.eye(4), shape=(nx, ny, nz)))


def available_bytes(device: torch.device, *, processes: int = 1) -> int:
    """Free memory of a device in bytes, within the limit of the container (cgroup).

    Args:
        device: Which.
        processes: Number of processes that share this memory, each with an equal part.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        # PyTorch keeps what earlier cases have freed, for this one.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return min(total // processes, free + kept)
    machine = psutil.virtual_memory()
    limits = [(int(machine.total), int(machine.available))]
    limits += [_cgroup(Path(limit), Path(usage)) for limit, usage in CGROUP_LIMITS]
    return min(min(total // processes, free) for total, free in limits)


def fitting_plan(
    plan: Plan,
    grid_at: Callable[[float], Grid],
    device: torch.device,
    *,
    processes: int = 1,
    growth: float = 1.0,
) -> tuple[Plan, Grid, tuple[str, ...]]:
    """The plan, made coarser until it fits into memory.

    Args:
        plan: The plan to start from.
        grid_at: The working grid at a spacing in mm.
        device: Where to compute.
        processes: Number of processes that share the device's memory.
        growth: As for `estimated_bytes`.

    Returns:
        The plan, its working grid, and warnings.

    Raises:
        ResourceError: Not even 8 mm would fit.
    """
    free, wanted_mm = available_bytes(device, processes=processes), plan.spacing_mm
    grid = grid_at(plan.spacing_mm)
    needed = estimated_bytes(plan, grid, growth=growth)
    _log.info("refinement takes about %.2f GB; %.2f GB are free", needed / 1e9, free / 1e9)
    while needed > free:
        if plan.spacing_mm >= _COARSEST_MM:
            msg = f"a refinement needs about {needed / 1e9:.2f} GB on its coarsest grid"
            got = f"{free / 1e9:.2f} GB free"
            raise ResourceError(msg, got=got, mend="close other programs, or use fewer workers")
        plan = plan.coarser()
        grid = grid_at(plan.spacing_mm)
        needed = estimated_bytes(plan, grid, growth=growth)
    if plan.spacing_mm == wanted_mm:
        return plan, grid, ()
    warning = (
        f"memory is short: the working grid has {plan.spacing_mm:.1f} mm instead of "
        f"{wanted_mm:.1f} mm"
    )
    _log.warning(warning)
    return plan, grid, (warning,)


def _cgroup(limit: Path, usage: Path) -> tuple[int, int]:
    """Bytes that a container may use, and those that are free; very many without a limit."""
    try:
        total = int(limit.read_text())
        return total, max(0, total - int(usage.read_text()))
    except (OSError, ValueError):
        return _UNLIMITED, _UNLIMITED
