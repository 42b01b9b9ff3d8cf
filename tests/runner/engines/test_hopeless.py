"""A hopeless run stops when its judge says so, in every engine; its neighbours do not notice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from runner.components.types import Mode
from runner.engines.contract import Job
from runner.journal.records import EpochEnd, Evaluation, RunEnd
from runner.record.events import Kept
from tests.runner.engines.test_packed import LAST, jobs_of, losses, trained

# Batches of a size that no other test packs: a program of one's own.
WORDS = ("dataset=iris", "epochs=4", "batch_size=20", "architecture.units=[5]", "regularizer=[]")
HOPELESS = 1
MEMBERS = ("seed=0", "optimizer.learning_rate=50", "optimizer.learning_rate=0.02")


@dataclass
class Stern:
    """A judge that gives its run up after an epoch; all that judges are told goes into one log."""

    number: int
    log: list[tuple[str, int]]
    last: int = 0
    values: list[float] = field(default_factory=list)

    def report(self, monitor: str, mode: Mode, value: float) -> None:
        assert (monitor, mode) == ("val_loss", "min")
        self.values.append(value)
        self.log.append(("report", self.number))

    def verdict(self) -> str | None:
        self.log.append(("verdict", self.number))
        return "by hand" if len(self.values) == self.last else None

    def end(self, status: str) -> None:
        raise AssertionError("the sweep says it, no engine")


def judged(last: int = 2) -> tuple[Sequence[Job], list[tuple[str, int]]]:
    """Three jobs, one of them hopeless, and the log of their judges."""
    log: list[tuple[str, int]] = []
    jobs = [
        replace(job, judge=Stern(number, log, last if number == HOPELESS else 0))
        for number, job in enumerate(jobs_of(WORDS, *MEMBERS))
    ]
    return jobs, log


@pytest.mark.many
@pytest.mark.parametrize("engine", ["fast", "keras", "packed"])
@pytest.mark.slow
def test_a_hopeless_run_stops_at_its_epoch_and_the_others_train_as_without(engine: str) -> None:
    jobs, log = judged()
    with_judge = trained(jobs, engine)
    without = trained([replace(job, judge=None) for job in jobs], engine)
    for number, (events, reference) in enumerate(zip(with_judge, without, strict=True)):
        end = events[-1]
        assert isinstance(end, RunEnd)
        if number != HOPELESS:
            assert (end.status, end.reason, end.epochs) == ("finished", None, 4)
            # In a pack the others may move the last digits, as neighbours always may.
            near = LAST if engine == "packed" else 0
            assert losses(events) == pytest.approx(losses(reference), rel=near, abs=0)
            continue
        assert (end.status, end.reason, end.epochs) == ("stopped", "pruned", 2)
        assert end.error == "pruned after epoch 2 by hand"
        assert losses(events) == pytest.approx(losses(reference)[:2], rel=LAST)
        [best] = [event for event in events if isinstance(event, Kept) and event.role == "best"]
        assert best.epoch == end.best_epoch
        evaluated = {event.split: event for event in events if isinstance(event, Evaluation)}
        epochs = [event for event in events if isinstance(event, EpochEnd)]
        kept = min(epoch.val_loss or math.inf for epoch in epochs)
        assert evaluated["val"].metrics["loss"] == pytest.approx(kept, rel=1e-5)
    asked = [number for what, number in log if what == "verdict"]
    assert sorted(asked) == [0, 0, 0, 1, 1, 2, 2, 2], "after each epoch but the last"
    if engine == "packed":
        assert log[:6] == [*(("report", i) for i in range(3)), *(("verdict", i) for i in range(3))]


@pytest.mark.slow
def test_the_row_of_a_hopeless_run_is_given_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engines.packed.engine.ROWS", 2)
    jobs, log = judged(last=1)
    ends = [events[-1] for events in trained(jobs)]
    assert [end.epochs for end in ends if isinstance(end, RunEnd)] == [4, 1, 4]
    first = log.index(("report", 2))
    assert log.index(("verdict", HOPELESS)) < first < len(log) - 6


@pytest.mark.slow
def test_a_run_whose_loss_is_no_number_fails_rather_than_being_given_up() -> None:
    [job] = jobs_of((*WORDS, "optimizer=sgd"), "optimizer.learning_rate=1e38")
    judge = Stern(0, [], last=1)
    [events] = trained([replace(job, judge=judge)], "fast")
    end = events[-1]
    assert isinstance(end, RunEnd) and (end.status, end.reason) == ("failed", None)
    assert judge.values and ("verdict", 0) not in judge.log
