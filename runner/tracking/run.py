"""`runner.track`: a run whose training is somebody's own, recorded as the runner's runs are."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import os
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from runner.components.types import Mode
from runner.errors import ConfigError, JournalError, RunnerError
from runner.journal import weights as stored
from runner.journal.file import Journal, check_writable
from runner.journal.ids import new_run_id
from runner.journal.records import (
    Artifact,
    EpochEnd,
    Evaluation,
    Record,
    RunEnd,
    Steps,
    Weights,
    by_split,
)
from runner.journal.results import JOURNALS, results_folder
from runner.record.code import about_code
from runner.record.contents import LARGEST, Content, figure_content, file_content, table_content
from runner.system.terminal import complain
from runner.tracking.files import tensors_of
from runner.tracking.source import direction_of, script, start_of

BEAT_SECONDS = 10.0
_OPEN: weakref.WeakSet[TrackedRun] = weakref.WeakSet()
"""The runs of this process that have not ended."""


def track(
    experiment: str,
    params: Mapping[str, Any] | None = None,
    *,
    monitor: str | None = None,
    mode: Mode | None = None,
    dataset: str | None = None,
    results: str | os.PathLike[str] | None = None,
    max_artifact: int = LARGEST,
) -> TrackedRun:
    """Begin a run whose training is your own: PyTorch's, scikit-learn's, a simulation.

    Use it as a context, `with runner.track("my experiment", {"learning_rate": 1e-3}) as run:`,
    or end it by `run.finish()`; a script that ends otherwise ends it.

    experiment: a name for runs that belong together.
    params: what is to be compared by; nested mappings get dotted names.
    monitor, mode: the metric that judges the run, and "min" or "max"; by default val_loss, loss
        or the first metric, whichever the first epoch has, and as its name says. With a monitor
        the run is in the journal at once, without one from its first record on.
    dataset: what it learns from; runs are ranked within it.
    results: the results folder, by default as `python -m warehouse` finds it.
    max_artifact: bytes of a file that is kept.

    Raises ConfigError for params that cannot be recorded, JournalError where the results folder
    cannot be written.
    """
    return TrackedRun(
        experiment, params or {}, monitor, mode, dataset, results_folder(results), max_artifact
    )


class TrackedRun:
    """A run that a script records; see `track`. Its methods may be called from any thread."""

    def __init__(
        self,
        experiment: str,
        params: Mapping[str, Any],
        monitor: str | None,
        mode: Mode | None,
        dataset: str | None,
        results: Path,
        max_artifact: int,
    ) -> None:
        if not isinstance(experiment, str) or not experiment:
            raise ConfigError(
                f"experiment={experiment!r:.80} is not valid: give a name, such as 'my experiment'"
            )
        if not isinstance(monitor, str | None):
            raise ConfigError(f"monitor={monitor!r:.80} is not valid: give the name of a metric")
        self.run_id = new_run_id()
        self.results = results
        self.status = "running"
        self.epochs = 0
        """How many are recorded."""
        self.best: float | None = None
        """The monitor's best value."""
        self.best_epoch: int | None = None
        self.before_end: Callable[[], None] | None = None
        """Called once when the run is about to end, however it does."""
        self._start = start_of(self.run_id, experiment, params, dataset)
        self._mode, self._max_artifact = mode, max_artifact
        direction_of(monitor or "val_loss", mode)
        check_writable(results / JOURNALS)
        self._journal: Journal | None = None
        self._waiting: list[Record] = []
        """Records that the journal could not take yet, on a full disk say."""
        self._warned = False
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._began = self._epoch_began = time.perf_counter()
        self._steps: list[float] = []
        self._splits: set[str] = set()
        self._over = threading.Event()
        _OPEN.add(self)
        if monitor is not None:
            self._begin(monitor)

    # -- what is recorded ----------------------------------------------------------------------

    def epoch(
        self,
        loss: float = math.nan,
        val_loss: float | None = None,
        *,
        learning_rate: float = math.nan,
        **metrics: float,
    ) -> None:
        """Record an epoch that is over; its losses and metrics are in the journal on return.

        Metrics named `val_...` are those of the validation split. Raises ConfigError for a value
        that is no number.
        """
        with self._lock:
            values = {"loss": _number("loss", loss)}
            if val_loss is not None:
                values["val_loss"] = _number("val_loss", val_loss)
            values |= {name: _number(name, value) for name, value in metrics.items()}
            self._begin_by(values)
            self.epochs += 1
            if self._steps:
                steps = list(range(1, len(self._steps) + 1))
                self._write(Steps(self.run_id, self.epochs, steps, self._steps))
                self._steps = []
            moment = time.perf_counter()
            seconds, self._epoch_began = moment - self._epoch_began, moment
            self._write(
                EpochEnd(
                    run_id=self.run_id,
                    epoch=self.epochs,
                    loss=values["loss"],
                    val_loss=values.get("val_loss"),
                    learning_rate=_number("learning_rate", learning_rate),
                    seconds=seconds,
                    metrics=by_split(values),
                    wall_seconds=seconds,
                )
            )
            self._judge(values.get(self._start.monitor, math.nan))

    def step(self, loss: float) -> None:
        """Note the training loss of a step; it is recorded with its epoch."""
        with self._lock:
            self._check_open()
            self._steps.append(_number("loss", loss))

    def evaluation(self, split: str, /, **metrics: float) -> None:
        """Record how good the outcome is on a split, such as "test"; once a split."""
        with self._lock:
            if split in self._splits:
                raise ConfigError(f"the evaluation of '{split}' is recorded already: once a split")
            values = {name: _number(name, value) for name, value in metrics.items()}
            self._begin_by({})
            self._write(Evaluation(self.run_id, str(split), values))
            self._splits.add(split)

    def artifact(
        self, path: str | os.PathLike[str], name: str | None = None, kind: str = "file"
    ) -> None:
        """Keep a copy of a file, stored once by its content.

        One that is larger than `max_artifact` is left out with a warning: the training is worth
        more than its record.
        """
        content = file_content(path, name, kind, self._max_artifact, _warn)
        if content is not None:
            self._keep(content)

    def figure(self, figure: Any, name: str = "figure") -> None:
        """Keep a figure of Matplotlib or Altair, or SVG as text.

        One that cannot be drawn is recorded as such, and the script goes on.
        """
        self._keep(figure_content(figure, name, _warn))

    def table(self, frame: Any, name: str = "table") -> None:
        """Keep a table as Parquet: a DataFrame, an Arrow table, columns by name, or dicts."""
        self._keep(table_content(frame, name))

    def weights(self, weights: Any, role: str = "best") -> None:
        """Keep weights: of a Keras model, a PyTorch module, or arrays by name.

        role: "best" or "checkpoint".
        """
        if role not in ("best", "checkpoint"):
            raise ConfigError(f"role={role!r:.80} is not valid: give 'best' or 'checkpoint'")
        tensors = tensors_of(weights)
        with self._lock:
            self._begin_by({})
            try:
                file = stored.save(self.results, tensors)
            except OSError as error:
                return self._warn(f"the weights are not kept ({error.strerror})")
            self._write(
                Weights(
                    run_id=self.run_id,
                    weights_id=f"{self.run_id}:{role}:{self.epochs}",
                    epoch=self.epochs,
                    role=role,
                    uri=file.uri,
                    sha256=file.sha256,
                    bytes=file.bytes,
                    format="safetensors",
                )
            )

    # -- how it ends ---------------------------------------------------------------------------

    def finish(self) -> None:
        """End the run as finished; a second time does nothing."""
        self._end(RunEnd.finished(self.run_id, self._seconds(), self.epochs, self.best_epoch))

    def fail(self, error: BaseException | str) -> None:
        """End the run as failed, with a sentence or with what was raised."""
        self._end(RunEnd.failed(self.run_id, error, self._seconds(), self.epochs, self.best_epoch))

    def stop(self, reason: str = "stopped by the user") -> None:
        """End the run as stopped: it is whole as far as it goes."""
        self._end(
            RunEnd.stopped(self.run_id, reason, self._seconds(), self.epochs, self.best_epoch)
        )

    def end_by(self, error: BaseException | None) -> None:
        """End the run as what ended its script says: nothing, an interrupt or an error."""
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif isinstance(error, KeyboardInterrupt):
            self.stop(f"stopped by the user after epoch {self.epochs}")
        else:
            self.fail(error)

    def __enter__(self) -> TrackedRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return self.end_by(None)
        # What went wrong in the script is what its author is to see.
        with contextlib.suppress(JournalError):
            self.end_by(error)

    def __repr__(self) -> str:
        return f"TrackedRun({self.run_id}, {self.status}, {self.epochs} epochs)"

    # -- the journal ---------------------------------------------------------------------------

    def _begin_by(self, values: Mapping[str, float]) -> None:
        """Begin, if that is still to be done, judged by what the first epoch has."""
        self._check_open()
        if self._journal is None:
            known = [name for name, value in values.items() if name != "loss" or value == value]
            better = (name for name in ("val_loss", "loss") if name in known)
            self._begin(next(better, known[0] if known else "val_loss"))

    def _begin(self, monitor: str) -> None:
        self._start = dataclasses.replace(
            self._start, monitor=monitor, mode=direction_of(monitor, self._mode)
        )
        self._journal = Journal(self.results / JOURNALS, self.run_id)
        try:
            self._journal.append(self._start)
        except JournalError:
            self._journal.discard()
            self._journal = None
            raise
        threading.Thread(target=self._beat, daemon=True, name="track").start()
        if (file := script()) is not None and file.stat().st_size <= self._max_artifact:
            ending = file.suffix or ".txt"
            self._keep(Content("source", file.name, file.read_bytes(), ending))
        for one in about_code():
            if len(one.content) <= self._max_artifact:
                self._keep(Content(one.kind, one.kind, one.content, one.suffix))

    def _keep(self, thing: Content) -> None:
        kind, name, content, ending = thing
        with self._lock:
            self._begin_by({})
            try:
                file = stored.store(self.results, content, ending, stored.ARTIFACTS)
            except OSError as error:
                return self._warn(f"the {kind} '{name}' is not kept ({error.strerror})")
            epoch = self.epochs or None
            self._write(
                Artifact(self.run_id, kind, file.uri, file.sha256, file.bytes, str(name), epoch)
            )

    def _write(self, record: Record) -> None:
        """Write a record, after those that are waiting; on a full disk it waits itself."""
        assert self._journal is not None
        self._waiting.append(record)
        try:
            while self._waiting:
                self._journal.append(self._waiting[0])
                del self._waiting[0]
        except JournalError as error:
            self._warn(f"{error} The training goes on, and later records try again")

    def _warn(self, sentence: str) -> None:
        """Say a trouble of the disk, once."""
        if not self._warned:
            self._warned = True
            complain(f"warning: run {self.run_id}: {sentence}")

    def _judge(self, value: float) -> None:
        sign = 1 if self._start.mode == "min" else -1
        if math.isfinite(value) and (self.best is None or sign * value < sign * self.best):
            self.best, self.best_epoch = value, self.epochs

    def _end(self, end: RunEnd) -> None:
        with self._lock:
            if self.status != "running" or os.getpid() != self._pid:
                return
            self._begin_by({})
            assert self._journal is not None
            last, self.before_end = self.before_end, None
            if last is not None:
                last()
            self._over.set()
            _OPEN.discard(self)
            self.status = end.status
            self._write(dataclasses.replace(end, wall_seconds=end.seconds))
            if self._waiting:
                self._journal.close()  # the next command takes in what it holds
                raise JournalError(
                    f"{len(self._waiting)} records of run {self.run_id} are lost: {self.results} "
                    "cannot be written"
                )
            self._journal.finish()

    def _check_open(self) -> None:
        if os.getpid() != self._pid:
            raise RunnerError(
                f"run {self.run_id} belongs to process {self._pid}: a process that was forked "
                "from it records runs of its own, by another runner.track()"
            )
        if self.status != "running":
            raise RunnerError(f"run {self.run_id} has ended: begin another by runner.track()")

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _beat(self) -> None:
        """Show other machines, which cannot see the lock, that the run goes on."""
        while not self._over.wait(BEAT_SECONDS):
            if self._journal is not None:
                self._journal.beat()

    def _leave_to_parent(self) -> None:
        """In a forked process: let go of the journal, whose lock tells whether its run lives."""
        if self._journal is not None:
            self._journal.close()


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(
            f"{name}={value!r:.80} is not valid: give one number, an array's mean say"
        ) from None


@atexit.register
def _end_with_script() -> None:
    """End the runs that a script left open, as the script itself ended."""
    error = getattr(sys, "last_value", None)
    for run in list(_OPEN):
        try:
            run.end_by(error)
        except RunnerError as trouble:
            complain(f"warning: run {run.run_id}: {trouble}")


def _forked() -> None:
    for run in list(_OPEN):
        run._leave_to_parent()


os.register_at_fork(after_in_child=_forked)
