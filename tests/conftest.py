"""What every test stands on: no usage statistics, no window, repeatable examples."""

from __future__ import annotations

import importlib.util
import locale
import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Before ray, mlflow and matplotlib are imported anywhere, here or in a child process.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    MPLBACKEND="Agg",
    RAY_TRAIN_HEALTH_CHECK_INTERVAL_S="0.2",  # how often Ray Train asks whether workers are done
    RAY_worker_niceness="0",  # else Ray's workers wait for the other tests of a busy machine
)

# Test processes side by side leave each other the cores: PyTorch reads this when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Started in the background, as a runner may be, this process and its children ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import pytest

REAL_DATA = "LUNGREG_REAL_DATA"
SNOWFLAKE_ACCOUNT = "LUNGREG_SNOWFLAKE_CONNECTION"

# Without the packages nothing of Snowflake can be tested: `nox -s minimums`.
collect_ignore = [] if importlib.util.find_spec("fakesnow") else ["backends/snowflake"]

pytest_plugins = ("tests.cohort", "tests.shared_ray", "tests.web_server")

# Shared cores make single examples slow now and then; the same examples on every machine.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, and leave out what needs an account where none is named.

    Processes that take file after file then end at about the same time. What is left out are
    whole suites, reported as one number.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if not os.environ.get(SNOWFLAKE_ACCOUNT):
        left_out = [item for item in items if item.get_closest_marker("snowflake")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot show, with the reason."""
    if item.get_closest_marker("gpu") and (reason := _no_gpu()):
        pytest.skip(reason)
    if item.get_closest_marker("real") and (reason := _no_real_data()):
        pytest.skip(reason)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real CT; the test is skipped where none is named."""
    if reason := _no_real_data():
        pytest.skip(reason)
    folder = Path(os.environ[REAL_DATA])
    if not folder.is_dir():
        pytest.fail(f"{REAL_DATA} names no folder")
    return folder


@pytest.fixture(autouse=True)
def _same_locale() -> Iterator[None]:
    """ITK's DICOM writer leaves the process in the locale "C", where text is ASCII alone."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny grids are computed faster without threads that wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _no_gpu() -> str:
    import torch

    return "" if torch.cuda.is_available() else "torch sees no CUDA device"


def _no_real_data() -> str:
    named = os.environ.get(REAL_DATA)
    return "" if named else f"{REAL_DATA} is not set: it names the folder of real CT"
