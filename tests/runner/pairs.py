"""One run by two engines, and how far apart what they tell is.

Run as a script, it reads command lines from standard input and answers for each how far apart
`keras` and `fast` are: op determinism holds for a whole process.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.compose import compose
from runner.config.config import Config
from runner.data.prepare import Prepared, load, prepare
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.journal.records import EpochEnd, Evaluation, RunEnd, RunStart
from runner.model.build import build
from runner.model.checkpoint import Checkpoint
from runner.record.events import Event, Kept

Words = Sequence[str]


@dataclass(frozen=True)
class Apart:
    """How far apart two engines are on one command line."""

    words: tuple[str, ...]
    engine: str
    """What the second one said that it is; the reason with it if it declined."""
    numbers: float
    """The largest relative difference of losses, metrics, evaluations and learning rates."""
    weights: float
    """The same of weights and optimizer states, relative to the tensor's largest value."""
    where: str
    """The first record that differs, or nothing."""


def job_of(words: Words, engine: str = "fast", **more: Any) -> Job:
    """The command line as a job, planned without a results folder."""
    config, _ = compose([*words, f"engine={engine}"])
    return job_from(config, prepare(load(config), config), **more)


def job_from(config: Config, data: Prepared, **more: Any) -> Job:
    """A job of a config and data that are there already."""
    settings = config.settings
    start = RunStart(
        run_id="test",
        started_at="",
        experiment="default",
        fingerprint="",
        seed=settings.seed,
        engine=settings.engine,
        device="",
        host="",
        pid=0,
        monitor="",
        mode="min",
        overrides=[],
        config={},
        params=[],
        components=[],
        versions={},
    )
    return Job(start, config, data, lambda: build(config, data), **more)


def events_of(job: Job, engine: str | None = None) -> list[Event]:
    """All that the engine tells while it trains the job."""
    events: list[Event] = []
    chosen = find_engine(engine or job.config.settings.engine)
    with chosen.ready(job.config.settings):
        chosen.train([job], events.append)
    return events


def both(words: Words, **more: Any) -> tuple[list[Event], list[Event]]:
    """What `keras` and `fast` tell of the same run."""
    job = job_of(words, **more)
    again = replace(job)  # a recipe of its own
    return events_of(job, "keras"), events_of(again, "fast")


def resumed(words: Words, first: str, then: str, epoch: int) -> list[Event]:
    """What is told by an engine that goes on from the other's checkpoint after an epoch."""
    job = job_of([*words, f"checkpoint={epoch}"])
    before = events_of(job, first)
    kept = next(e for e in before if isinstance(e, Kept) and e.epoch == epoch)
    assert kept.role == "checkpoint" and kept.state is not None
    epochs = [e for e in before if isinstance(e, EpochEnd) and e.epoch <= epoch]
    checkpoint = Checkpoint(epochs, kept.tensors, kept.state)
    return events_of(job_of([*words, f"checkpoint={epoch}"], resume=checkpoint), then)


def told(events: Sequence[Event]) -> Iterator[tuple[str, Any]]:
    """Everything in the records that does not depend on the clock, by name, in order."""
    for event in events:
        match event:
            case RunStart():
                yield "start", ""
            case EpochEnd():
                yield f"epoch {event.epoch}, loss", event.loss
                yield f"epoch {event.epoch}, val_loss", event.val_loss
                yield f"epoch {event.epoch}, learning_rate", event.learning_rate
                for split, metrics in event.metrics.items():
                    for name, value in metrics.items():
                        yield f"epoch {event.epoch}, {split} {name}", value
            case Evaluation():
                for name, value in event.metrics.items():
                    yield f"evaluation, {event.split} {name}", value
            case Kept():
                for name, tensor in event.tensors.items():
                    yield f"{event.role} of epoch {event.epoch}, {name}", tensor
                yield f"{event.role} of epoch {event.epoch}, graph", event.graph or ""
            case RunEnd():
                yield "status", event.status
                yield "error", event.error or ""
                yield "epochs", event.epochs
                yield "best_epoch", event.best_epoch


def apart(words: Words, one: Sequence[Event], other: Sequence[Event]) -> Apart:
    """Compare what two engines told."""
    start = other[0]
    assert isinstance(start, RunStart)
    reason = f" ({start.engine_reason})" if start.engine_reason else ""
    engine = f"{start.engine}{reason}"
    first, second = list(told(one)), list(told(other))
    differ = [a for (a, _), (b, _) in zip(first, second, strict=False) if a != b]
    if differ or len(first) != len(second):
        where = differ[0] if differ else "the number of records"
        return Apart(tuple(words), engine, math.inf, math.inf, where)
    numbers, weights, where = 0.0, 0.0, ""
    for (name, a), (_, b) in zip(first, second, strict=True):
        by = _relative(a, b)
        if by and not where:
            where = f"{name}: {a} and {b}"[:300]
        if isinstance(a, np.ndarray):
            weights = max(weights, by)
        else:
            numbers = max(numbers, by)
    return Apart(tuple(words), engine, numbers, weights, where)


def _relative(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest value; 0 for values that are the same."""
    if a is None or b is None or isinstance(a, str):
        return 0.0 if a == b else math.inf
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape:
        return math.inf
    if np.array_equal(left, right, equal_nan=True):
        return 0.0
    return float(np.abs(left - right).max() / max(np.abs(left).max(), np.abs(right).max()))


def compared(words: Words) -> Apart:
    """Train by both engines and compare."""
    return apart(words, *both(words))


def in_a_process(lines: Sequence[Words], folder: Path) -> list[Apart]:
    """`compared` for each command line, in one process of its own."""
    child = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps([list(words) for words in lines]),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert child.returncode == 0, child.stderr
    return [Apart(tuple(words), *rest) for words, *rest in json.loads(child.stdout)]


def _main(compare: Callable[[Words], Apart] = compared) -> None:
    answers = [compare(words) for words in json.load(sys.stdin)]
    json.dump([[a.words, a.engine, a.numbers, a.weights, a.where] for a in answers], sys.stdout)


if __name__ == "__main__":
    # The script's own folder is no place to import from.
    sys.path[0] = ""
    _main()
