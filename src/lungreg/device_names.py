"""How a device to compute on is called. Light: configurations are read without PyTorch."""

from __future__ import annotations

DEVICE = r"^(auto|cpu|mps|cuda(:\d+)?)$"
DEVICES = "auto, cpu, cuda, cuda:N, mps"
"""The same, for people."""
