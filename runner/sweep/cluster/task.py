"""A parcel as a job of a cluster with a shared disk: what submitit pickles, and runs on a node.

A job may be run several times: SLURM requeues what it preempts, what was on a node that failed,
and on our own asking what comes near its time limit. Each time those runs of the parcel that have
come to no end are trained on, from their checkpoints.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from runner.record.outcome import Outcome
from runner.sweep.cluster.parcel import INTERRUPTED, Parcel, Slip, left_of, train_parcel
from runner.sweep.cluster.queue import is_running, stop_file
from runner.sweep.failures import RunResult
from runner.sweep.manifest import FOLDER, PART, Manifest, RefusedJob
from runner.sweep.summary import run_line
from runner.system.terminal import complain, say
from warehouse.place import use_lake

AGAIN = (*INTERRUPTED, "stopped")
"""What has become of runs that are trained on when a job is run once more."""
Handler = Callable[[int, FrameType | None], Any] | int | None


def folder_of(results: Path, sweep_id: str) -> Path:
    """The folder that takes the files of a sweep's jobs: what they print, and what they are."""
    return results / FOLDER / sweep_id


class Task:
    """The function that a job calls. Equal parts of a sweep are one job, run one or many times."""

    def __init__(self, parcel: Parcel, results: Path, part: int) -> None:
        self._parcel, self._results, self._part = parcel, results, part

    def __call__(self) -> None:
        """Train what is left of the parcel, unless somebody has stopped the sweep."""
        with _Signals() as signals:
            stopped = self._train()
        if stopped and not self._is_over():
            signals.requeue()

    def checkpoint(self) -> Any:
        """What submitit puts in the place of this one, when it requeues the job: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _train(self) -> bool:
        """Train; whether a signal cut it short."""
        sweep_id = self._parcel.sweep_id or ""
        name = f"{sweep_id}{PART}{self._part:04d}"
        times = len(list((self._results / FOLDER).glob(f"{name}-*")))
        manifest = Manifest(self._results, f"{name}-{times:02d}")
        try:
            if self._is_over():
                return False
            if lake := self._parcel.slips[0].body.get("lake"):
                use_lake(self._results, lake)
            parcel = left_of(self._parcel, self._results, AGAIN) if times else self._parcel
            if parcel is None:
                return False

            def on_result(slip: Slip, result: RunResult) -> None:
                _tell(slip, result)
                if not isinstance(result, Outcome):
                    sentence = f"{' '.join(slip.overrides)}  {result}"
                    manifest.note(RefusedJob(sentence, slip.key))

            results = train_parcel(parcel, self._results, on_result)
        except KeyboardInterrupt:
            return True
        finally:
            manifest.close(None)
        return any(one.stop_requested for one in results.values() if isinstance(one, Outcome))

    def _is_over(self) -> bool:
        """Whether somebody has asked the whole sweep to stop."""
        return stop_file(folder_of(self._results, self._parcel.sweep_id or "")).exists()


class _Signals:
    """A context in which signals of the cluster end what trains after its epoch.

    submitit itself would requeue the job, and raise SystemExit, in the middle of an epoch.
    """

    def __enter__(self) -> _Signals:
        from submitit import JobEnvironment

        self._environment: Any = JobEnvironment()
        self._ending = self._environment._usr_sig()
        self._heard = False
        self._usual: dict[int, Handler] = {}
        for number in (self._ending, signal.SIGTERM):
            self._usual[number] = signal.signal(number, self._hear)
        # A shell's background process is started to ignore it.
        self._usual[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def requeue(self) -> None:
        """Have the job run again later, if the cluster wants its place or its time is up.

        SLURM requeues by itself what it was told to requeue, and nothing that was cancelled; what
        it is about to preempt is still running for it.
        """
        name = self._environment.cluster
        if self._heard or (name == "slurm" and is_running(self._environment.job_id)):
            usual = self._usual[self._ending]
            assert callable(usual)
            usual(self._ending, None)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to what trains; a KeyboardInterrupt where nothing does yet."""
        self._heard |= number == self._ending
        os.kill(os.getpid(), signal.SIGINT)


def _tell(slip: Slip, result: RunResult) -> None:
    if not isinstance(result, Outcome):
        return complain(f"error: {result}")
    say(run_line(result, slip.overrides))
    if result.traceback:
        complain(result.traceback)
