"""What the process and its machine use: processors, memory and GPU, read in one go.

NVIDIA's library (`nvidia-ml-py`) is asked where it is installed and finds a GPU.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple


class Usage(NamedTuple):
    """What is in use at a moment; what counts up does so from some moment before."""

    moment: float
    """By `time.monotonic`."""
    cpu_seconds: float
    """Of this process, all its threads together."""
    memory_bytes: int
    """Resident, of this process."""
    machine_cpu_seconds: float
    """Of all processes, over all cores."""
    machine_free_bytes: int
    """What a process could still take without swapping."""
    gpu_share: float | None
    """Of the time, in which the busiest GPU of the machine worked."""
    gpu_memory_bytes: int | None
    """In use on all GPUs of the machine."""


class Meter:
    """A reader of usage. Raises ImportError where psutil is missing."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._process = psutil.Process()
        self.cores = psutil.cpu_count() or 1
        self._nvml, self._gpus = _gpus()

    def read(self) -> Usage:
        """What is in use now."""
        times = self._psutil.cpu_times()
        busy = ("user", "nice", "system", "irq", "softirq", "steal")
        share, memory = self._gpu()
        return Usage(
            time.monotonic(),
            time.process_time(),
            self._process.memory_info().rss,
            sum(getattr(times, name, 0.0) for name in busy),
            self._psutil.virtual_memory().available,
            share,
            memory,
        )

    def _gpu(self) -> tuple[float | None, int | None]:
        """The share of the busiest GPU, and the memory of all; None where the library cannot say.

        A part of a GPU (MIG) has no share of its own.
        """
        shares, memories = [], []
        for gpu in self._gpus:
            try:
                memories.append(int(self._nvml.nvmlDeviceGetMemoryInfo(gpu).used))
                shares.append(float(self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu) / 100)
            except self._nvml.NVMLError:
                continue
        return max(shares, default=None), sum(memories) if memories else None


def _gpus() -> tuple[Any, list[Any]]:
    """NVIDIA's library and its GPUs; none where either is missing."""
    try:
        import pynvml
    except ImportError:
        return None, []
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        return pynvml, [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(count)]
    except pynvml.NVMLError:  # no driver, or a driver without a device
        return None, []
