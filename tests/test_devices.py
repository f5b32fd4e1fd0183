"""Memory is given back to the system; a device that is lost is known; cards are told apart."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from lungreg.devices import answers, count_cards, worker_name

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


_USED_AGAIN = """
import resource, sys
import numpy as np
from lungreg.devices import give_back_memory, keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        np.full(1 << 23, 1.0)  # PyTorch's aligned blocks may miss their own hole by a few bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(faults(10))
give_back_memory()
print(faults(1))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc returns large volumes at once")
def test_what_is_kept_is_used_again_until_it_is_given_back() -> None:
    found = {}
    for how in ("kept", "not"):
        told = subprocess.run(
            [sys.executable, "-c", _USED_AGAIN, how], check=True, capture_output=True
        )
        found[how] = [int(line) for line in told.stdout.split()]
    (again, after), (anew, _) = found["kept"], found["not"]
    # A kernel that gives large pages has one fault for many small ones: a ratio holds for both.
    assert anew > 0
    assert again < 0.3 * anew
    assert after > 0.05 * anew


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from lungreg import devices

    devices._of_glibc.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    devices.give_back_memory()
    devices.keep_freed_memory()
    assert devices._of_glibc("malloc_trim") is None
    devices._of_glibc.cache_clear()


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (None, True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
    ],
)
def test_a_device_answers_unless_its_context_is_lost(
    error: Exception | None, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is full for the moment is not lost."""
    ones = torch.ones

    def made(*shape: int, device: torch.device) -> torch.Tensor:
        if error is not None:
            raise error
        return ones(*shape, device=device)

    monkeypatch.setattr(torch, "ones", made)
    assert answers(torch.device("cpu")) is found


def test_workers_that_share_a_card_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the card's own id: the first card of one machine is not that of another."""
    ids = iter(["8a1f0c2e-9f4b-11ee", "8a1f0c2e-9f4b-11ee", "77aa0c2e-9f4b-11ee"])
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid=next(ids))
    )
    names = [worker_name(torch.device("cuda"), number) for number in (1, 2, 1)]
    assert names == ["cuda-1 on 8a1f0c2e", "cuda-2 on 8a1f0c2e", "cuda-1 on 77aa0c2e"]
    assert count_cards(names) == 2
    assert worker_name(torch.device("cpu"), 1) == "cpu-1"
    assert count_cards(["cpu-1", "main", ""]) == 0
    assert count_cards(["cuda-batch-3fa9c1", "cuda-batch-3fa9c1", "cuda-batch-77aa0c"]) == 2


def test_a_card_without_an_id_is_told_by_machine_and_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number is that of the machine, not of what this process sees."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace())
    names = []
    for node, visible in (("a", "0"), ("a", "0"), ("a", "1"), ("b", "0"), ("b", ""), ("b", "0,1")):
        monkeypatch.setattr("platform.node", lambda node=node: node)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        names.append(worker_name(torch.device("cuda"), 1))
    assert count_cards(names) == 3
    assert names[0] == names[1]
    assert names[3] == names[4] == names[5]
