"""A thread that samples what the process uses while runs train, for the record of each.

A sample a second in a run's first minute, then one every sixtieth of its age, and never fewer than
one a minute: a run of a day has some 1,700. A run's first comes after a second, so that short
runs have none, and pay for none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from runner.journal.records import SystemUsage
from runner.system.usage import Meter, Usage

TICK, LONGEST = 1.0, 60.0
"""Seconds between two samples of a run: at least, and at most."""
THINNING = 60
"""Samples are so many times closer together than the run is old."""
WRITE_SECONDS = 10.0
"""How long samples are gathered before they are written."""
SHARE = 0.005
"""Of a core, that sampling may take: where reading is slow, it is done less often."""


@dataclass
class _Samples:
    """The samples of one run that are not written yet."""

    run_id: str
    began: float = field(default_factory=time.monotonic)
    before: float = field(default_factory=time.monotonic)
    cpu_seconds: float = field(default_factory=time.process_time)
    machine_cpu_seconds: float | None = None
    """At the sample before, as the process's own."""
    written: int = 0
    written_at: float = field(default_factory=time.monotonic)
    rows: list[tuple[float, int, float, int, float | None, int, float | None, int | None]] = field(
        default_factory=list
    )

    def is_due(self, now: float) -> bool:
        """Whether the run is to have a sample now."""
        pause = min(max((now - self.began) / THINNING, TICK), LONGEST)
        return now - self.before >= pause * 0.9  # a thread wakes a little early or late

    def add(self, usage: Usage, together: int, cores: int) -> None:
        """Take what was used since the sample before."""
        elapsed = max(usage.moment - self.before, 1e-6)
        machine = None
        if self.machine_cpu_seconds is not None:
            busy = usage.machine_cpu_seconds - self.machine_cpu_seconds
            machine = round(min(max(busy / elapsed / cores, 0.0), 1.0), 3)
        self.rows.append(
            (
                round(usage.moment - self.began, 3),
                together,
                round((usage.cpu_seconds - self.cpu_seconds) / elapsed, 3),
                usage.memory_bytes,
                machine,
                usage.machine_free_bytes,
                usage.gpu_share,
                usage.gpu_memory_bytes,
            )
        )
        self.before, self.cpu_seconds = usage.moment, usage.cpu_seconds
        self.machine_cpu_seconds = usage.machine_cpu_seconds

    def take(self) -> SystemUsage | None:
        """The samples as a record, which are then written; None where there are none."""
        if not self.rows:
            return None
        first, rows = self.written + 1, self.rows
        self.written, self.rows, self.written_at = self.written + len(rows), [], time.monotonic()
        return SystemUsage(self.run_id, first, *map(list, zip(*rows, strict=True)))


class UsageLog:
    """What the open runs use, as a context: outside of it nothing is sampled."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """write: called from the thread for a run whose samples are to be taken and written."""
        self._write = write
        self._runs: dict[str, _Samples] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_on = False

    def begin(self, run_id: str) -> None:
        """Sample from now on for this run, too."""
        if not self._is_on:
            return
        with self._lock:
            self._runs[run_id] = _Samples(run_id)
        if self._thread is None:
            self._thread = threading.Thread(target=self._sample, name="usage", daemon=True)
            self._thread.start()

    def take(self, run_id: str) -> SystemUsage | None:
        """What has been sampled for the run and not been taken yet."""
        with self._lock:
            samples = self._runs.get(run_id)
            return samples.take() if samples else None

    def end(self, run_id: str) -> None:
        """Sample for this run no more."""
        with self._lock:
            self._runs.pop(run_id, None)

    def __enter__(self) -> UsageLog:
        self._is_on = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_on = False
        self._over.set()
        if self._thread is not None:
            self._thread.join(TICK)  # it may be waiting for a disk or a driver
            self._thread = None
        self._over = threading.Event()

    def _sample(self) -> None:
        over, meter, pause = self._over, None, TICK
        while not over.wait(pause):
            before = time.thread_time()
            try:
                meter = meter or Meter()
            except ImportError:
                return
            self._add(meter)
            for run_id in self._to_write():
                self._write(run_id)
            pause = max(TICK, (time.thread_time() - before) / SHARE)

    def _add(self, meter: Meter) -> None:
        with self._lock:
            now = time.monotonic()
            if due := [samples for samples in self._runs.values() if samples.is_due(now)]:
                usage = meter.read()
                for samples in due:
                    samples.add(usage, len(self._runs), meter.cores)

    def _to_write(self) -> list[str]:
        with self._lock:
            now = time.monotonic()
            return [
                run_id
                for run_id, samples in self._runs.items()
                if samples.rows and now - samples.written_at >= WRITE_SECONDS
            ]
