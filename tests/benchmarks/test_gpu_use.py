"""The sampling of a GPU's use, with a program of the name of `nvidia-smi`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from tests.benchmarks.gpu_use import GpuUse


def test_the_waiting_share_is_what_no_kernel_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the samples within the time alone: 40 % busy, then 90 %."""
    program = tmp_path / "nvidia-smi"
    lines = (
        "for n in 1 2 3 4 5; do echo 40; sleep 0.05; done; while :; do echo 90; sleep 0.05; done"
    )
    program.write_text(f"#!/bin/sh\n{lines}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with GpuUse(torch.device("cuda:0")) as use:
        start = time.perf_counter()
        time.sleep(0.15)
        middle = time.perf_counter()
        time.sleep(1.0)
        end = time.perf_counter()
    assert use.waiting_pct(start, middle) == pytest.approx(60)
    assert use.waiting_pct(end - 0.5, end) == pytest.approx(10)
    assert use.waiting_pct(end + 1, end + 2) is None


def test_another_device_is_not_sampled() -> None:
    """Nothing is started."""
    with GpuUse(torch.device("cpu")) as use:
        assert use.waiting_pct(0.0, time.perf_counter()) is None
