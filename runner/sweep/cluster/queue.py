"""The jobs that a sweep was submitted as: whether any is queued or runs, and how to stop them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from runner.sweep.manifest import Submitted

SLURM, LOCAL = "slurm", "local"
ASK_SECONDS = 10.0
"""A controller is not asked more often."""
PATIENCE = 60.0
"""Seconds that SLURM's commands may take."""
GONE = "Invalid job id"
"""What squeue says of jobs that have ended some minutes ago."""


class Queue:
    """Answers about submitted jobs, each kept for some seconds."""

    def __init__(self) -> None:
        self._asked_at = float("-inf")
        self._answer: bool | None = False

    def has_any(self, submitted: Sequence[Submitted]) -> bool | None:
        """Whether any of the jobs is queued or runs; None where nobody can be asked."""
        if not submitted:
            return False
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._answer = _any(map(_is_there, submitted))
            self._asked_at = time.monotonic()
        return self._answer


def _any(answers: Iterable[bool | None]) -> bool | None:
    known = list(answers)
    return True if True in known else None if None in known else False


def _is_there(submitted: Submitted) -> bool | None:
    if submitted.cluster == LOCAL:
        return any(_controller(job, submitted.folder) for job in submitted.jobs)
    if shutil.which("squeue") is None:
        return None
    ids = ",".join(array_ids(submitted.jobs))
    words = ["squeue", "--noheader", "--format=%i", f"--jobs={ids}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == 0:
        return bool(done.stdout.strip())
    return False if GONE in done.stderr else None


def array_ids(jobs: Iterable[str]) -> list[str]:
    """The ids of the arrays whose tasks these are."""
    return list(dict.fromkeys(job.partition("_")[0] for job in jobs))


def _controller(job: str, folder: str) -> psutil.Process | None:
    """The process that controls a job on this machine, if it is there still."""
    with contextlib.suppress(psutil.Error, ValueError):
        process = psutil.Process(int(job))
        if folder in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def is_running(job: str) -> bool:
    """Whether SLURM counts a job as one that runs, rather than as cancelled or to be requeued."""
    words = ["squeue", "--noheader", "--array", "--format=%T", f"--jobs={job}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "RUNNING"


def stop(submitted: Iterable[Submitted], at_once: bool = False) -> None:
    """Have jobs end after their epochs, and those that wait not begin; or all of them now."""
    for each in submitted:
        with contextlib.suppress(OSError):
            stop_file(Path(each.folder)).touch()
        if each.cluster == LOCAL:
            _stop_here(each, at_once)
            continue
        ids = array_ids(each.jobs)
        for options in [[]] if at_once else [["--state=PENDING"], ["--signal=INT"]]:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                words = ["scancel", "--quiet", *options, *ids]
                subprocess.run(words, capture_output=True, timeout=PATIENCE)


def stop_file(folder: Path) -> Path:
    """The file that keeps a sweep's jobs from going on, wherever they are requeued."""
    return folder / "stop"


def _stop_here(submitted: Submitted, at_once: bool) -> None:
    for job in submitted.jobs:
        with contextlib.suppress(psutil.Error):
            if (controller := _controller(job, submitted.folder)) is None:
                continue
            if not at_once:
                controller.terminate()  # it passes that on
                continue
            for process in [*controller.children(recursive=True), controller]:
                process.kill()
