"""How busy a GPU is while something runs, as `nvidia-smi` samples it."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from types import TracebackType
from typing import IO, Self

import torch

_QUERY = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
_EVERY_MS = 100


class GpuUse:
    """Samples the utilisation of a GPU in the background, ten times a second.

    Utilisation is the share of the time since the last sample in which any of its kernels ran. On
    another device, or without `nvidia-smi`, there are no samples.

    Args:
        device: What is measured.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._samples: list[tuple[float, float]] = []
        self._sampling: tuple[subprocess.Popen[str], threading.Thread] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("nvidia-smi")
        if self._device.type == "cuda" and program is not None:
            index = str(self._device.index or 0)
            command = [program, *_QUERY, "-i", index, "-lms", str(_EVERY_MS)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            reader = threading.Thread(target=self._read, args=[process.stdout], daemon=True)
            reader.start()
            self._sampling = process, reader
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sampling is not None:
            process, reader = self._sampling
            process.terminate()
            reader.join()
            process.communicate()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._samples.append((time.perf_counter(), float(line)))

    def waiting_pct(self, start: float, end: float) -> float | None:
        """Share of the time between two readings of `time.perf_counter` in which no kernel ran.

        None without samples from that time.
        """
        busy = [percent for when, percent in self._samples if start <= when <= end]
        return 100 - sum(busy) / len(busy) if busy else None
