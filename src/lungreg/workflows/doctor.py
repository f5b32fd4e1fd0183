"""Doctor: check this machine and the stage, and say how to mend what is missing."""

from __future__ import annotations

import os
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
from lungreg.errors import ForbiddenError, LungregError, StoreUnavailableError
from lungreg.extras import has_extra, installation
from lungreg.records import counted
from lungreg.stores import Check, Stage
from lungreg.stores.names import input_folder
from lungreg.stores.run_files import environment
from lungreg.workflows.progress import OnProgress, ignore_progress, one_step
from lungreg.workflows.source_check import check_source

_DISK_GB, _MEMORY_GB = 5.0, 4.0


def examine(config: Config, on_progress: OnProgress = ignore_progress) -> list[Check]:
    """Check versions, devices, Ray, source, stage, disk and memory. Changes nothing that stays.

    Args:
        config: What is checked for it.
        on_progress: Called before and after every check: to start Ray takes seconds, and so may a
            backend's answer.
    """
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("versions", _versions),
        ("device", partial(_device, config)),
        ("ray", partial(_ray, config)),
        ("source", partial(check_source, config)),
        ("stage", partial(_stage, config)),
        ("models", partial(_models, config)),
        ("disk", partial(_disk, config)),
        ("memory", _memory),
        ("network", partial(_network, config)),
    ]
    found = []
    for name, check in checks:
        with one_step(on_progress, name):
            found.append(_guarded(name, check))
    return found + _of_backend(config, on_progress)


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


def _of_backend(config: Config, on_progress: OnProgress) -> list[Check]:
    """The checks that the backend itself makes; a step of its own where it makes some."""
    try:
        examiner = open_backend(config.backend).for_run(None, "doctor").examiner
    except LungregError as error:
        return [Check.failed("backend", error)]
    if examiner is None:
        return []
    with one_step(on_progress, "backend"):
        return examiner.examine()


def _versions() -> Check:
    found = ", ".join(f"{name} {version}" for name, version in environment().items())
    return Check(name="versions", state="ok", found=f"{found}, {platform.system()}")


def _device(config: Config) -> Check:
    import torch

    device = choose_device(config.infer.device)
    if device.type == "cuda":
        index = device.index or 0
        total = torch.cuda.get_device_properties(index).total_memory / 1e9
        gpus = counted(torch.cuda.device_count(), "GPU")
        found = f"{gpus}, {torch.cuda.get_device_name(index)}, {total:.0f} GB"
        return Check(name="device", state="ok", found=found)
    found = f"{device.type}, {counted(cpu_count(), 'core')}"
    mend = "registration without a model needs no GPU; train cohorts on one"
    return Check(name="device", state="warn", found=found, mend=mend)


def _ray(config: Config) -> Check:
    """Whether Ray starts; not tried where the configuration never starts it."""
    if not has_extra("cluster"):
        found = "not installed: workers auto means one process"
        return Check(name="ray", state="ok", found=found, mend=installation("cluster"))
    version = metadata.version("ray")
    if config.infer.workers == 0 and config.train.workers == 0:
        found = f"ray {version}: not started, since infer.workers and train.workers are 0"
        return Check(name="ray", state="ok", found=found)
    from lungreg.distributed.cluster import cluster

    with cluster() as capacity:
        has = f"{counted(capacity.cpus, 'CPU')}, {counted(capacity.gpus, 'GPU')}"
        found = f"ray {version}: {has}"
    return Check(name="ray", state="ok", found=found)


def _stage(config: Config) -> Check:
    folder = config.backend.folder
    if folder is not None and not folder.exists():
        return _folder_to_be(folder)
    stage = open_backend(config.backend).for_run(None, "doctor").stage
    number = sum(1 for file in stage.list(input_folder("fixed")))
    cases = counted(number, "case")
    mend = "" if number else "run 'lungreg ingest'"
    try:
        _write_and_read(stage, f"doctor-{secrets.token_hex(6)}.txt")
    except ForbiddenError:
        found = f"readable, not writable by this user, {cases}"
        return Check(name="stage", state="ok", found=found, mend=mend)
    return Check(name="stage", state="ok", found=f"reachable, writable, {cases}", mend=mend)


def _folder_to_be(folder: Path) -> Check:
    """Whether the folder of a stage can be made; it is left to ingest to do so."""
    place = _nearest(folder.absolute())
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        mend = "run 'lungreg ingest', which makes it"
        return Check(name="stage", state="ok", found="not made yet, can be made", mend=mend)
    msg = "the folder of a stage is there, or can be made"
    mend = "set backend.root to a folder that you may write to"
    return Check.failed("stage", StoreUnavailableError(msg, got="neither", mend=mend, where=folder))


def _nearest(place: Path) -> Path:
    """The path, or the first above it that exists."""
    while not place.exists():
        place = place.parent
    return place


def _write_and_read(stage: Stage, name: str) -> None:
    stage.write(name, b"lungreg")
    try:
        stage.read(name)
    finally:
        stage.delete(name)


def _models(config: Config) -> Check:
    found = len(open_backend(config.backend).for_run(None, "doctor").models.list())
    if not found and config.infer.model is None:
        return Check(name="models", state="ok", found="none, and none needed: infer.model is null")
    if not has_extra("train") and config.infer.model is not None:
        mend = installation("train")
        return Check(name="models", state="fail", found="MONAI is not installed", mend=mend)
    if not found:
        mend = "run 'lungreg train' or 'lungreg models import'"
        return Check(name="models", state="warn", found="none", mend=mend)
    return Check(name="models", state="ok", found=counted(found, "version"))


def _disk(config: Config) -> Check:
    place = _nearest((config.backend.folder or Path.home()).absolute())
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
        mend = "use extract_levels [1, 2, 3]"
        found = "extract_levels [3] has no decoder: its field is coarse"
        return Check(name="network", state="warn", found=found, mend=mend)
    levels = ", ".join(map(str, config.network.extract_levels))
    return Check(name="network", state="ok", found=f"LocalNet with levels {levels}")
