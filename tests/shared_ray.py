"""One Ray cluster for all files of tests that need one: it takes ten seconds to start."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_cluster = ExitStack()
"""What stops it; nothing where none is running."""


@pytest.fixture(scope="module")
def ray_cluster() -> None:
    """A Ray cluster of two processors, which the library joins.

    It goes on for as long as the tests that follow are in files that use it, too.
    """
    import ray

    from lungreg.distributed.cluster import cluster

    if not ray.is_initialized():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lungreg.distributed.cluster.cpu_count", lambda: 2)
            _cluster.enter_context(cluster())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """Stop the cluster before tests that expect none."""
    try:
        return (yield)
    finally:
        if nextitem is None or not _needs_ray(nextitem.path):
            _cluster.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: all files that need Ray go to one process."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "Ray" if _needs_ray(config.rootpath / file) else file

    return Scheduling(config, log)


@cache
def _needs_ray(file: Path) -> bool:
    return file.is_file() and '"ray_cluster"' in file.read_text()
