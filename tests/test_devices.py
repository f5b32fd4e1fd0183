"""Memory is given back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FREED = """
import psutil, torch
from lungreg.devices import give_back_memory
del_at_once = [torch.ones(1 << 18) for _ in range(2)]
del del_at_once  # glibc keeps blocks of this size from now on
blocks = [torch.ones(1 << 18) for _ in range(300)]
last = blocks.pop()  # what is in use above them keeps them from going back by themselves
blocks.clear()
before = psutil.Process().memory_info().rss
give_back_memory()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc keeps what is freed")
def test_what_lies_below_memory_in_use_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", _FREED], check=True, capture_output=True)
    assert int(told.stdout) > 100e6


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from lungreg import devices

    devices._trim.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    devices.give_back_memory()
    assert devices._trim() is None
    devices._trim.cache_clear()
