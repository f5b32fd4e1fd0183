"""Which device, how many threads and how much memory a process computes with."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache

import torch

from lungreg.config.section import DEVICE_FORM, DEVICE_NAMES
from lungreg.errors import ConfigError, ResourceError

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Numbers of glibc's `mallopt`."""
_KEPT_BYTES = 512 * 1024**2
_ON_CARD = " on "


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


def worker_name(device: torch.device, name: object) -> str:
    """The name of a worker for its rows: of a GPU its card too, such as "cuda-3 on 8a1f0c2e".

    Args:
        device: Where it computes.
        name: What tells it from other workers, such as its number.
    """
    card = f"{_ON_CARD}{_card(device)}" if device.type == "cuda" else ""
    return f"{device.type}-{name}{card}"


def count_cards(workers: Iterable[str]) -> int:
    """The number of cards behind workers of one machine or many; several may share a card.

    Args:
        workers: Their names, of `worker_name`; one without its card, as of models that an earlier
            version has packaged, has a card of its own.
    """
    on_gpu = (name.partition(_ON_CARD) for name in workers if name.startswith("cuda"))
    return len({card or name for name, _, card in on_gpu})


def _card(device: torch.device) -> str:
    """Eight digits that tell a card from those of all machines.

    They are of the card's own id. Where PyTorch does not tell that, they stand for the machine and
    the card's number there.
    """
    own = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    if own is not None:
        return str(own)[:8]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    index = device.index or 0
    number = visible[index] if visible[0] and index < len(visible) else index
    return hashlib.sha256(f"{platform.node()} {number}".encode()).hexdigest()[:8]


def answers(device: torch.device) -> bool:
    """Whether a device still computes: after some errors of CUDA it never does in this process."""
    try:
        return bool(torch.ones(1, device=device).sum() == 1)
    except torch.OutOfMemoryError:
        return True
    except RuntimeError:
        return False


def use_threads(threads: int | None) -> None:
    """Let PyTorch use so many CPU threads in this process; None leaves its own choice."""
    if threads is not None:
        torch.set_num_threads(threads)


def give_back_gpu_memory() -> None:
    """Return to the GPU what this process has freed, for others that share it.

    PyTorch keeps that for later. Does nothing where the process has used no GPU.
    """
    torch.cuda.empty_cache()


def give_back_memory() -> None:
    """Return to the system what this process has freed, which the C library keeps for later.

    What is asked for afterwards must be cleared by the system first: 0.1 s for 0.4 GB. Does nothing
    where the C library is not glibc.
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def keep_freed_memory() -> None:
    """Let the C library keep what this process frees, for its next volumes, until it is given back.

    By default glibc asks the system for each volume of more than 32 MB and returns it at once, and
    the system clears it each time: a second of the CPU time of one registration. For processes that
    do nothing else. Does nothing where the C library is not glibc.
    """
    choose = _of_glibc("mallopt")
    if choose is not None:
        choose(_MMAP_MAX, 0)
        choose(_TRIM_THRESHOLD, _KEPT_BYTES)


@lru_cache
def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library that glibc alone has."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
