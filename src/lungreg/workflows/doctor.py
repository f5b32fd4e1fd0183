"""Doctor: check this machine and the stage, and say how to mend what is missing."""

from __future__ import annotations

import platform
import secrets
import shutil
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import psutil

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.devices import choose_device, cpu_count
from lungreg.errors import ForbiddenError, LungregError
from lungreg.stores import Check, Stage
from lungreg.stores.names import input_folder
from lungreg.stores.run_files import environment

_DISK_GB, _MEMORY_GB = 5.0, 4.0


def examine(config: Config) -> list[Check]:
    """Check versions, devices, Ray, the stage, disk and memory. Changes nothing that stays."""
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("versions", _versions),
        ("device", partial(_device, config)),
        ("ray", _ray),
        ("stage", partial(_stage, config)),
        ("models", partial(_models, config)),
        ("disk", partial(_disk, config)),
        ("memory", _memory),
        ("network", partial(_network, config)),
    ]
    return [_guarded(name, check) for name, check in checks] + _of_backend(config)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except ForbiddenError as error:
        # Each step has its own role; the backend's own checks say which steps this role is for.
        found = f"not shown to this user: {error.got}"
        return Check(name=name, state="warn", found=found, mend=error.mend or "")
    except LungregError as error:
        return Check.failed(name, error)
    except Exception as error:  # noqa: BLE001  # one check never stops the others
        found, where = type(error).__name__, " ".join(str(error).split())
        return Check(name=name, state="fail", found=found, mend="run with -v", where=where)


def _of_backend(config: Config) -> list[Check]:
    """The checks that the backend itself makes."""
    try:
        examiner = open_backend(config.backend).for_run(None, "doctor").examiner
    except LungregError as error:
        return [Check.failed("backend", error)]
    return [] if examiner is None else examiner.examine()


def _versions() -> Check:
    found = ", ".join(f"{name} {version}" for name, version in environment().items())
    return Check(name="versions", state="ok", found=f"{found}, {platform.system()}")


def _device(config: Config) -> Check:
    import torch

    device = choose_device(config.infer.device)
    if device.type == "cuda":
        index = device.index or 0
        total = torch.cuda.get_device_properties(index).total_memory / 1e9
        found = (
            f"{torch.cuda.device_count()} GPU, {torch.cuda.get_device_name(index)}, {total:.0f} GB"
        )
        return Check(name="device", state="ok", found=found)
    found = f"{device.type}, {cpu_count()} cores"
    mend = "fine for a try; train cohorts on a GPU"
    return Check(name="device", state="warn", found=found, mend=mend)


def _ray() -> Check:
    from lungreg.distributed.cluster import cluster

    with cluster() as capacity:
        found = f"ray {metadata.version('ray')}: {capacity.cpus} CPUs, {capacity.gpus} GPUs"
    return Check(name="ray", state="ok", found=found)


def _stage(config: Config) -> Check:
    stage = open_backend(config.backend).for_run(None, "doctor").stage
    cases = sum(1 for file in stage.list(input_folder("fixed")))
    mend = "" if cases else "run 'lungreg ingest'"
    try:
        _write_and_read(stage, f"doctor-{secrets.token_hex(6)}.txt")
    except ForbiddenError:
        found = f"readable, not writable by this user, {cases} cases"
        return Check(name="stage", state="ok", found=found, mend=mend)
    return Check(name="stage", state="ok", found=f"reachable, writable, {cases} cases", mend=mend)


def _write_and_read(stage: Stage, name: str) -> None:
    stage.write(name, b"lungreg")
    try:
        stage.read(name)
    finally:
        stage.delete(name)


def _models(config: Config) -> Check:
    found = len(open_backend(config.backend).for_run(None, "doctor").models.list())
    if not found and config.infer.model is None:
        return Check(name="models", state="ok", found="none, and infer.model asks for none")
    if not found:
        mend = "run 'lungreg train' or 'lungreg models import'"
        return Check(name="models", state="warn", found="none", mend=mend)
    return Check(name="models", state="ok", found=f"{found} versions")


def _disk(config: Config) -> Check:
    place = config.backend.folder or Path.home()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    return _enough("disk", free, _DISK_GB, "free space, or choose another backend.root")


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    return _enough("memory", free, _MEMORY_GB, "close other programs, or lower infer.workers")


def _enough(name: str, free: float, needed: float, mend: str) -> Check:
    short = free < needed
    found = f"{free:.1f} GB free"
    return Check(
        name=name, state="warn" if short else "ok", found=found, mend=mend if short else ""
    )


def _network(config: Config) -> Check:
    if config.network.extract_levels == (3,):
        mend = "use extract_levels [0, 1, 2, 3]"
        found = "extract_levels [3] has no decoder: its field is coarse"
        return Check(name="network", state="warn", found=found, mend=mend)
    return Check(name="network", state="ok", found=f"levels {config.network.extract_levels}")
