"""Which device and how many threads a process computes with."""

from __future__ import annotations

import os
import re

import torch

from lungreg.config.section import DEVICE_FORM, DEVICE_NAMES
from lungreg.errors import ConfigError, ResourceError


def choose_device(name: str) -> torch.device:
    """The device of a config: "auto", "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        ConfigError: No device is called so.
        ResourceError: PyTorch does not see it.
    """
    if re.fullmatch(DEVICE_FORM, name) is None:
        msg = f"a device is one of {DEVICE_NAMES}"
        raise ConfigError(msg, got=repr(name), mend="use auto")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    missing = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if missing:
        msg = "the device asked for must be one that PyTorch sees"
        raise ResourceError(msg, got=name, mend="use device: auto, or cpu")
    return device


def cpu_count() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_bytes() -> int | None:
    """Memory of this machine's smallest GPU; None where PyTorch sees none."""
    count = torch.cuda.device_count()
    sizes = (torch.cuda.get_device_properties(number).total_memory for number in range(count))
    return min(sizes, default=None)


def use_threads(threads: int | None) -> None:
    """Let PyTorch use so many CPU threads in this process; None leaves its own choice."""
    if threads is not None:
        torch.set_num_threads(threads)
