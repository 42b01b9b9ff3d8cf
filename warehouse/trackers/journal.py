"""A run of another tracker as the records of a journal.

A step at which something was logged is an epoch, called by its step; where the steps begin at 0,
by its step and one. Where the training loss was logged much more often than all else, what lies
between two epochs are its `steps`. What was logged once of a test split is an evaluation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from runner.journal.ids import run_id_from
from runner.journal.metric_names import better_end, split_of
from runner.journal.params import param_rows
from runner.journal.records import (
    Care,
    EpochEnd,
    Evaluation,
    FileElsewhere,
    ParamValue,
    Record,
    RunEnd,
    RunStart,
    Steps,
)
from warehouse.trackers.foreign import Dataset, History, Mode, Run

RATES = ("learning_rate", "lr")
"""Metrics that are the learning rate of an epoch."""
NOT_JUDGED = ("epoch", "step", *RATES)
"""Metrics that judge no run."""
FINER = 2
"""How many times more often the loss is logged than all else where it lies inside of epochs."""
LONGEST_EPOCH = 100_000
"""Losses inside of one epoch that go into one line of a journal."""
_FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)


class Named(NamedTuple):
    """A metric's name here."""

    split: str
    name: str

    @property
    def monitor(self) -> str:
        """As `runs.monitor` has it."""
        return f"val_{self.name}" if self.split == "val" else self.name


@dataclass(frozen=True)
class Layout:
    """Where the metrics of a run go."""

    names: Mapping[str, Named]
    offset: int
    """What is added to a step to make it an epoch."""
    inside: str | None
    """The metric whose values between two epochs are steps."""
    evaluations: frozenset[str]
    """The metrics that are evaluations."""
    monitor: Named
    mode: Mode
    modes: Mapping[str, Mode]


def layout_of(run: Run) -> Layout:
    """Where the metrics of a run go, by their names and how often each was logged."""
    names = _names(run.histories)
    evaluations = frozenset(
        raw
        for raw, named in names.items()
        if named.split == "test" and run.histories[raw].first == run.histories[raw].last
    )
    histories = {raw: run.histories[raw] for raw in names if raw not in evaluations}
    modes: dict[str, Mode] = {}
    for raw, named in names.items():
        modes.setdefault(named.name, run.modes.get(raw) or better_end(named.name))
    monitor = _monitor(run, {raw: names[raw] for raw in histories})
    return Layout(
        names=names,
        offset=max(0, 1 - min((each.first for each in histories.values()), default=1)),
        inside=_inside(histories, names),
        evaluations=evaluations,
        monitor=monitor,
        mode=modes.get(monitor.name, "min"),
        modes=modes,
    )


def records_of(run: Run) -> Iterator[Record]:
    """The records of a run's journal, in the order of its steps."""
    layout, run_id = layout_of(run), run.run_id
    yield _start(run, layout)
    end = _End(layout.monitor, layout.mode)
    tested: dict[str, float] = {}
    losses: list[tuple[int, float]] = []
    epochs, last_epoch, last_time = 0, 0, run.started
    for step, points in itertools.groupby(run.points(), key=lambda point: point.step):
        epoch, values, time = step + layout.offset, {}, last_time
        for point in points:
            if point.name not in layout.names:  # logged while we read: for another import
                continue
            if point.name in layout.evaluations:
                tested[layout.names[point.name].name] = point.value
            else:
                values[point.name] = point.value
                time = max(time, point.time or time)
        if set(values) == {layout.inside}:
            losses.append((epoch - last_epoch, values[layout.inside or ""]))
        elif values:
            yield from _steps(run_id, epoch, losses)
            record = _epoch(run_id, epoch, values, layout, time - last_time)
            end.note(record)
            yield record
            losses, last_epoch, last_time = [], epoch, time
            epochs += 1
    yield from _steps(run_id, last_epoch + 1, losses)
    if tested:
        yield Evaluation(run_id, "test", tested)
    for file in run.files:
        yield FileElsewhere(run_id, file.path, file.address, file.bytes)
    ended = max(run.started, run.ended if run.ended is not None else last_time)
    yield RunEnd(
        run_id=run_id,
        status=run.status,
        ended_at=moment(ended),
        seconds=ended - run.started,
        epochs=epochs,
        best_epoch=end.best_epoch,
        error=run.error,
    )


def care_of(run: Run) -> Iterator[Care]:
    """The tags and the note of a run; the same again are the same entries."""
    said = [("tag", tag) for tag in dict.fromkeys(run.tags) if tag.strip()]
    if run.name:
        said.append(("tag", f"name={run.name}"))
    if run.note and run.note.strip():
        said.append(("note", run.note))
    for action, text in said:
        content = "\0".join((run.run_id, action, text)).encode("utf-8", "backslashreplace")
        yield Care(
            entry_id=run_id_from(content, int(run.started * 1000)),
            action=action,  # type: ignore[arg-type]
            entered_at=moment(run.started),
            run_id=run.run_id,
            text=text,
        )


def moment(seconds: float) -> str:
    """A second since 1970 as the records have it; one that no calendar has is the first."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError, OSError):
        return _FIRST_MOMENT.isoformat(timespec="microseconds")


@dataclass
class _End:
    """The best epoch so far."""

    monitor: Named
    mode: Mode
    best: float | None = None
    best_epoch: int | None = None

    def note(self, record: EpochEnd) -> None:
        """Look at an epoch."""
        losses = {("train", "loss"): record.loss, ("val", "loss"): record.val_loss}
        value = losses.get(self.monitor)
        if self.monitor.name != "loss":
            value = record.metrics.get(self.monitor.split, {}).get(self.monitor.name)
        if value is None or not math.isfinite(value):
            return
        sign = 1 if self.mode == "min" else -1
        if self.best is None or sign * value < sign * self.best:
            self.best, self.best_epoch = value, record.epoch


def _names(histories: Mapping[str, History]) -> dict[str, Named]:
    """A metric's name at the tracker -> its name here; two that would share one keep theirs."""
    wanted = {raw: _wanted(raw) for raw in histories}
    # A plain `loss` comes before a `train_loss`.
    order = sorted(wanted, key=lambda raw: (raw != wanted[raw].name, raw))
    taken: dict[Named, str] = {}
    for raw in order:
        taken.setdefault(wanted[raw], raw)
    return {
        raw: wanted[raw] if taken[wanted[raw]] == raw else Named("train", raw) for raw in order
    }


def _wanted(raw: str) -> Named:
    split, name = split_of(raw)
    is_rate = split == "train" and name in RATES
    return Named(split, RATES[0] if is_rate else name)


def _monitor(run: Run, names: Mapping[str, Named]) -> Named:
    """What judges a run: a validation loss, a loss, else the first metric, validation's first."""
    for loss in (Named("val", "loss"), Named("train", "loss")):
        if loss in names.values():
            return loss
    said = [names[raw] for raw in run.modes if raw in names]
    judging = [
        named
        for named in names.values()
        if named.split != "test" and named.name.lower() not in NOT_JUDGED
    ]
    by_split = sorted(judging, key=lambda named: (named.split != "val", named.name))
    return next(iter(said + by_split), Named("val", "loss"))


def _inside(histories: Mapping[str, History], names: Mapping[str, Named]) -> str | None:
    """The training loss, where it was logged much more often than all else."""
    loss = next((raw for raw in histories if names[raw] == ("train", "loss")), None)
    others = max((each.points for raw, each in histories.items() if raw != loss), default=0)
    if loss is None or others < 2:
        return None
    points = histories[loss].points
    # A bound on what one line of a journal would hold.
    longest = (histories[loss].last - histories[loss].first) / others
    return loss if points > FINER * others and longest < LONGEST_EPOCH else None


def _start(run: Run, layout: Layout) -> RunStart:
    seed = next((run.params[name] for name in ("seed", "random_state") if name in run.params), 0)
    # Runs are ranked within a dataset.
    plain = f"{run.tracker}:{run.experiment}"
    dataset = run.dataset or Dataset(plain, plain)
    return RunStart(
        run_id=run.run_id,
        started_at=moment(run.started),
        experiment=run.experiment,
        fingerprint=run.fingerprint(),
        seed=int(seed) if str(seed).isdecimal() and len(str(seed)) < 19 else 0,
        engine=run.tracker,
        device="not known",
        host=run.host,
        pid=0,
        monitor=layout.monitor.monitor,
        mode=layout.mode,
        overrides=[],
        config={
            "name": run.name,
            "params": run.params,
            "first_step": 1 - layout.offset,
            "metric_names": {
                f"{named.split}/{named.name}": raw for raw, named in layout.names.items()
            },
            **run.config,
        },
        params=[_with_number(row) for row in param_rows("", run.params) if row["name"]],
        components=[
            {
                "kind": "dataset",
                "name": dataset.name,
                "distribution": None,
                "version": None,
                "source": None,
            }
        ],
        versions={},
        data={"identity": dataset.digest},
        sweep_id=run.group_id,
        modes=layout.modes,
        git_commit=run.git_commit,
        imported_from=run.address,
    )


def _with_number(row: ParamValue) -> ParamValue:
    """The row with its number, where a tracker that knows text alone keeps it as text."""
    text = row["value"]
    if row["number"] is not None or text is None or "_" in text:
        return row
    try:
        number = float(text)
    except ValueError:
        return row
    return {**row, "number": number if math.isfinite(number) else None}


def _steps(run_id: str, epoch: int, losses: list[tuple[int, float]]) -> Iterable[Steps]:
    if losses:
        places, values = zip(*losses, strict=True)
        yield Steps(run_id, epoch, list(places), list(values))


def _epoch(
    run_id: str, epoch: int, values: Mapping[str, float], layout: Layout, seconds: float
) -> EpochEnd:
    loss, val_loss, rate = math.nan, None, math.nan
    metrics: dict[str, dict[str, float]] = {}
    for raw, value in values.items():
        named = layout.names[raw]
        if named == ("train", "loss"):
            loss = value
        elif named == ("val", "loss"):
            val_loss = value
        elif named == ("train", RATES[0]):
            rate = value
        else:
            metrics.setdefault(named.split, {})[named.name] = value
    return EpochEnd(run_id, epoch, loss, val_loss, rate, seconds, metrics, seconds)
