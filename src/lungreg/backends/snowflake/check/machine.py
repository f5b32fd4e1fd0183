"""Try the GPU of a job's node: its driver, and whether PyTorch computes on it."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial

from lungreg.backends.snowflake.check.trial import Trial
from lungreg.backends.snowflake.connection.runtime import is_in_job
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup.statement import Probe
from lungreg.errors import LungregError, ResourceError
from lungreg.records import counted

_QUERY = ("--query-gpu=name,driver_version", "--format=csv,noheader")
_SMI_TIMEOUT_S = 20
_MEND = (
    "take a pool of GPU nodes, and a backend.runtime whose PyTorch the node's driver can run: "
    "a GPU image, with a CUDA version no newer than the driver's"
)


def machine_trials(source: SessionSource) -> list[Trial]:
    """The row on the GPU; none outside a job."""
    return [Trial(name="gpu", work=partial(_gpu, source), mend=_MEND)] if is_in_job() else []


def _gpu(source: SessionSource) -> str:
    """GPU, driver and CUDA.

    Raises:
        ResourceError: The pool has GPU nodes, and PyTorch computes on none.
    """
    import torch

    driver, built = _driver(), torch.version.cuda
    if torch.cuda.is_available():
        torch.ones(8, device="cuda").sum().item()
        gpus = counted(torch.cuda.device_count(), "GPU")
        return f"{gpus}, {driver or 'driver unknown'}; torch {torch.__version__}, CUDA {built}"
    family = _family(source)
    if family is not None and not family.startswith("GPU"):
        return f"none: the pool's nodes are {family}, and compute on the CPU"
    msg = "PyTorch computes on the GPU of the pool's nodes"
    seen = driver or "no driver"
    raise ResourceError(msg, got=f"no CUDA ({seen}; torch {torch.__version__}, CUDA {built})")


def _driver() -> str:
    """What nvidia-smi says: "NVIDIA A10G, 570.86"; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        command = [program, *_QUERY]
        done = subprocess.run(  # noqa: S603  # no argument is anybody else's
            command, capture_output=True, text=True, check=False, timeout=_SMI_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return f"{lines[0].replace(', ', ', driver ')}" if lines else ""


def _family(source: SessionSource) -> str | None:
    """The instance family of the job's pool; None where the account does not show it."""
    probe = Probe(kind="COMPUTE POOLS", name=source.settings.compute_pool.name)
    try:
        rows = probe.found(source.run)
    except LungregError:
        return None
    return str(rows[0]["instance_family"]).upper() if rows else None
