"""The recorder: journal first, then whoever else is told; runs that end without their engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import JournalError
from runner.journal.file import Journal
from runner.journal.records import EpochEnd, Evaluation, Record, RunEnd, RunStart
from runner.record.recorder import Recorder


class Spy:
    """A display that looks into the journals whenever it is shown something."""

    def __init__(self, results: Path) -> None:
        self.folder = results / "journals"
        self.seen: list[list[str]] = []

    def kinds(self) -> list[str]:
        """The records of all journals."""
        files = sorted(self.folder.glob("*.jsonl"))
        return [
            kind
            for file in files
            for line in file.read_text().splitlines()
            # What the code was is not what this is about.
            if (kind := json.loads(line)["record"]) != "artifact"
        ]

    def start(self, start: RunStart) -> None:
        self.seen.append(self.kinds())

    def epoch(self, event: EpochEnd) -> None:
        self.seen.append(self.kinds())

    def end(self, end: RunEnd) -> None:
        self.seen.append(self.kinds())

    def close(self) -> None: ...


def start_of(run_id: str) -> RunStart:
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(RunStart)}
    return RunStart(**fields | {"run_id": run_id, "monitor": "val_loss", "data": {}, "config": {}})


def epoch_of(run_id: str, epoch: int) -> EpochEnd:
    return EpochEnd(run_id, epoch, 1 / epoch, 2 / epoch, 0.001, 0.1)


def ends(results: Path) -> dict[str, tuple[str, int, str | None]]:
    """How the finished journals say that their runs ended."""
    last = [
        json.loads(file.read_text().splitlines()[-1])
        for file in (results / "journals").glob("*.done.jsonl")
    ]
    return {end["run_id"]: (end["status"], end["epochs"], end["error"]) for end in last}


def test_what_is_shown_is_in_the_journal_by_then(results: Path) -> None:
    spy = Spy(results)
    recorder = Recorder(results, spy)
    for event in (
        start_of("a"),
        epoch_of("a", 1),
        epoch_of("a", 2),
        Evaluation("a", "val", {"loss": 1.0}),
        RunEnd.finished("a", 3.0, 2, 2),
    ):
        recorder(event)
    kinds = ["run_start", "epoch_end", "epoch_end", "evaluation", "run_end"]
    assert spy.seen == [kinds[:1], kinds[:2], kinds[:3], kinds]
    outcome = recorder.outcomes["a"]
    assert (outcome.status, outcome.losses, outcome.best) == ("finished", [1.0, 0.5], 1.0)
    assert outcome.evaluations == {"val": {"loss": 1.0}}


def test_nothing_is_shown_of_a_record_that_cannot_be_written(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def failing(self: Journal, record: Record) -> None:
        if isinstance(record, EpochEnd) and record.epoch == 2:
            raise JournalError("the disk is full")
        append(self, record)

    monkeypatch.setattr(Journal, "append", failing)
    spy = Spy(results)
    recorder = Recorder(results, spy)
    recorder(start_of("a"))
    recorder(epoch_of("a", 1))
    with pytest.raises(JournalError) as caught:
        recorder(epoch_of("a", 2))
    assert len(spy.seen) == 2
    assert recorder.outcomes["a"].losses == [1.0]
    recorder.give_up("a", caught.value)
    assert len(spy.seen) == 3
    assert ends(results) == {"a": ("failed", 1, "the disk is full")}
    assert recorder.outcomes["a"].status == "failed"


def test_a_second_stop_ends_every_open_run_in_its_journal(results: Path) -> None:
    recorder = Recorder(results, Spy(results))
    for run_id in ("a", "b", "c"):
        recorder(start_of(run_id))
        recorder(epoch_of(run_id, 1))
    recorder(RunEnd.finished("b", 1.0, 1, 1))
    recorder.stop_at_once()
    assert ends(results) == {
        "a": ("stopped", 1, "stopped twice"),
        "b": ("finished", 1, None),
        "c": ("stopped", 1, "stopped twice"),
    }
